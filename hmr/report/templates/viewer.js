// Turns the bodies whose pictures have the class "turning". Without WebGL the pictures stay as they are.
import {
  BufferAttribute, BufferGeometry, DirectionalLight, HemisphereLight, Mesh, MeshStandardMaterial, OrthographicCamera,
  Scene, WebGLRenderer,
} from "three";

const { faces, solids } = JSON.parse(document.getElementById("bodies-data").textContent);
const [viewer, canvas, flat, named, sample, variant] =
  ["viewer", "body", "flat", "named", "sample", "variant"].map((id) => document.getElementById(id));
const START = { yaw: 0.6, pitch: 0, zoom: 1 };
const uint16 = (text) => new Uint16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

function renderer() {
  try {
    return canvas.getContext("webgl2", { alpha: true, antialias: true, preserveDrawingBuffer: true })
      && new WebGLRenderer({ canvas, context: canvas.getContext("webgl2"), alpha: true });
  } catch {
    return null;
  }
}

function geometry({ vertices, low_m, step_m }) {
  const numbers = uint16(vertices);
  // The camera's frame has y down and z forward, the viewer's y up and z towards the eye.
  const positions = Float32Array.from(numbers, (n, i) => (low_m[i % 3] + step_m * n) * (i % 3 ? -1 : 1));
  const made = new BufferGeometry();
  made.setAttribute("position", new BufferAttribute(positions, 3));
  made.setIndex(new BufferAttribute(uint16(faces), 1));
  made.computeVertexNormals();
  made.center();
  return made;
}

function start(gl) {
  const body = new Mesh(new BufferGeometry(), new MeshStandardMaterial({ color: 0xa6bddb, roughness: 0.75 }));
  const key = new DirectionalLight(0xffffff, 2.2);
  key.position.set(1, 1.5, 2);
  const scene = new Scene().add(body, key, new HemisphereLight(0xffffff, 0x555566, 1.4));
  const camera = new OrthographicCamera();
  camera.position.z = 10;
  const view = { ...START };

  const draw = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
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
  const show = (k) => {
    const picture = pictures[k].querySelector("img");
    body.geometry.dispose();
    body.geometry = geometry(solids[k]);
    flat.src = picture.src;
    flat.alt = picture.alt;
    const about = `${solids[k].variant} on ${solids[k].sample}`;
    named.textContent = about;
    canvas.setAttribute("aria-label", `Mesh that turns with the arrow keys: ${about}`);
    draw();
  };
  const choose = (k) => {
    [sample.value, variant.value] = [solids[k].sample, solids[k].variant];
    show(k);
  };
  const chosen = () => {
    const here = (s) => s.sample === sample.value;
    const exact = solids.findIndex((s) => here(s) && s.variant === variant.value);
    return exact < 0 ? solids.findIndex(here) : exact; // a variant may have been left out on one set
  };

  const keys = {
    ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15],
    "+": [0, 0, 1.15], "=": [0, 0, 1.15], "-": [0, 0, 1 / 1.15],
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "0") Object.assign(view, START), draw();
    else if (keys[event.key]) turn(...keys[event.key]);
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) turn(event.movementX / 120, event.movementY / 120);
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    turn(0, 0, Math.exp(-event.deltaY / 200));
  }, { passive: false });

  for (const [select, values] of [[sample, solids.map((s) => s.sample)], [variant, solids.map((s) => s.variant)]]) {
    select.append(...[...new Set(values)].map((text) => new Option(text)));
    select.addEventListener("change", () => choose(chosen()));
  }
  pictures.forEach((figure, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Turn";
    button.setAttribute("aria-label", `Turn ${solids[k].variant} on ${solids[k].sample}`);
    button.addEventListener("click", () => {
      choose(k);
      viewer.scrollIntoView();
      canvas.focus({ preventScroll: true });
    });
    figure.append(button);
  });
  viewer.hidden = false;
  new ResizeObserver(draw).observe(canvas);
  choose(0);
}

const pictures = [...document.querySelectorAll("figure.turning")];
const gl = renderer();
if (gl) start(gl);
