// A body that turns in a canvas: dragged or by the arrow keys; nearer and further by two fingers, or plus and minus.
import {
  BufferGeometry, DirectionalLight, HemisphereLight, Mesh, MeshStandardMaterial, OrthographicCamera, Scene, WebGLRenderer,
} from "./three.module.min.js";

const KEYS = {
  ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15],
  "+": [0, 0, 1.15], "=": [0, 0, 1.15], "-": [0, 0, 1 / 1.15],
};

// `look`: of the material. `start`: the yaw that a body is first seen at. Nothing comes back where there is no WebGL.
export function turntable(canvas, look, start) {
  const gl = renderer(canvas);
  if (!gl) return null;
  const body = new Mesh(new BufferGeometry(), new MeshStandardMaterial({ roughness: 0.75, ...look }));
  const key = new DirectionalLight(0xffffff, 2.2);
  key.position.set(1, 1.5, 2);
  const scene = new Scene().add(body, key, new HemisphereLight(0xffffff, 0x555566, 1.4));
  const camera = new OrthographicCamera();
  camera.position.z = 10;
  const view = {};

  const draw = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width) return;
    gl.setPixelRatio(Math.min(devicePixelRatio, 2));
    gl.setSize(width, height, false);
    const tall = 1.15 / view.zoom, wide = (tall * width) / height;
    Object.assign(camera, { left: -wide, right: wide, top: tall, bottom: -tall, far: 20 });
    camera.updateProjectionMatrix();
    body.rotation.set(view.pitch, view.yaw, 0);
    gl.render(scene, camera);
  };
  const turn = (yaw, pitch, zoom = 1) => {
    view.yaw += yaw;
    view.pitch = Math.max(-1.5, Math.min(1.5, view.pitch + pitch));
    view.zoom = Math.max(0.5, Math.min(6, view.zoom * zoom));
    draw();
  };
  const reset = () => {
    Object.assign(view, { yaw: start, pitch: 0, zoom: 1 });
    draw();
  };
  const show = (geometry) => {
    body.geometry.dispose();
    body.geometry = geometry;
    draw();
  };

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "0") reset();
    else if (KEYS[event.key]) turn(...KEYS[event.key]);
    else return;
    event.preventDefault();
  });
  const fingers = new Map(); // or the mouse: where each that is down was last
  const apart = () => {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one.x - other.x, one.y - other.y) || 1;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId), now = { x: event.clientX, y: event.clientY };
    if (!last) return;
    const before = fingers.size > 1 && apart();
    fingers.set(event.pointerId, now);
    if (before) turn(0, 0, apart() / before);
    else turn((now.x - last.x) / 120, (now.y - last.y) / 120);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => fingers.delete(event.pointerId));
  }
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    turn(0, 0, Math.exp(-event.deltaY / 200));
  }, { passive: false });
  new ResizeObserver(draw).observe(canvas);
  reset();
  return { show, reset };
}

function renderer(canvas) {
  try {
    return canvas.getContext("webgl2", { alpha: true, antialias: true, preserveDrawingBuffer: true })
      && new WebGLRenderer({ canvas, context: canvas.getContext("webgl2"), alpha: true });
  } catch {
    return null;
  }
}
