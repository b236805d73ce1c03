// Sends a photo to this machine's own server and shows what comes back: bodies over the photo, and each as a mesh.
import { BufferAttribute, BufferGeometry } from "./three.module.min.js";
import { turntable } from "./turntable.js";

const MOST_BYTES = 25_000_000;
const by = (id) => document.getElementById(id);
const [drop, file, said, result, shown, picture, photo, box, canvas, people, save, bare] =
  ["drop", "file", "said", "result", "shown", "picture", "photo", "box", "body", "people", "save", "bare"].map(by);
const LONG_MS = 5000;
let chosen = null; // the photo's file
let asked = 0; // so that only the last question's answer is shown
let addresses = { photo: "", overlay: "", mesh: "" };

const sentence = (line) => line[0].toUpperCase() + line.slice(1);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function address(name, content, type) {
  URL.revokeObjectURL(addresses[name]);
  return addresses[name] = content ? URL.createObjectURL(new Blob([content], { type })) : "";
}

// ---- asking

async function ask(rectangle) {
  const mine = ++asked, query = rectangle ? `?box=${rectangle.map((x) => x.toFixed(1))}` : "";
  said.textContent = "Looking…";
  setTimeout(() => {
    if (said.textContent === "Looking…") said.textContent = "Looking… The first photo takes longest.";
  }, LONG_MS);
  box.hidden = !rectangle;
  let answer, found;
  try {
    answer = await fetch(`/bodies${query}`, { method: "POST", body: chosen });
    found = await answer.json();
  } catch {
    answer = { ok: false };
    found = { error: "No answer: is the program still running?" };
  }
  if (mine !== asked) return;
  address("overlay", found.overlay && bytes(found.overlay), "image/jpeg");
  said.textContent = answer.ok ? `${found.meshes.length === 1 ? "One body" : `${found.meshes.length} bodies`}.` : sentence(found.error);
  by("about").textContent = found.about || "";
  by("turning").hidden = !found.meshes;
  showPhoto();
  people.replaceChildren(...(found.meshes || []).map((_, k) => button(k, found)));
  people.hidden = people.children.length < 2;
  if (found.meshes) choose(0, found.meshes);
}

function showPhoto() {
  photo.src = (!bare.checked && addresses.overlay) || addresses.photo;
  photo.alt = photo.src === addresses.overlay ? "The photo, with bodies drawn over the people" : "The photo";
}

// The whole photo is in sight, so that a box can be dragged around anyone in it.
photo.addEventListener("load", () => {
  shown.hidden = false;
  picture.style.maxWidth = `max(12rem, ${(75 * photo.naturalWidth) / photo.naturalHeight}vh)`;
});
photo.addEventListener("error", () => (shown.hidden = true)); // no picture, or one that only the server can read

function take(given) {
  if (!given) return;
  by("turning").hidden = true;
  by("about").textContent = "";
  if (given.size > MOST_BYTES) {
    said.textContent = `A picture may have ${MOST_BYTES / 1e6} MB, this has ${Math.round(given.size / 1e6)}; shrink it.`;
    result.hidden = true;
    asked++; // what the photo before it was asked for comes too late
    return;
  }
  chosen = given;
  address("photo", given, given.type);
  address("overlay", null);
  result.hidden = false;
  showPhoto();
  ask(null);
}

file.addEventListener("change", () => take(file.files[0]));
for (const kind of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files[0]);
  });
}
bare.addEventListener("change", showPhoto);

// ---- a box around a person

function rectangle(from, to) {
  const frame = photo.getBoundingClientRect(), scale = photo.naturalWidth / frame.width;
  const x = [from.clientX - frame.left, to.clientX - frame.left].map((v) => Math.max(0, Math.min(frame.width, v)));
  const y = [from.clientY - frame.top, to.clientY - frame.top].map((v) => Math.max(0, Math.min(frame.height, v)));
  const [left, top, width, height] = [Math.min(...x), Math.min(...y), Math.abs(x[0] - x[1]), Math.abs(y[0] - y[1])];
  const share = (v, of) => `${(100 * v) / of}%`; // so that it stays in place when the window changes
  Object.assign(box.style, {
    left: share(left, frame.width), top: share(top, frame.height),
    width: share(width, frame.width), height: share(height, frame.height),
  });
  return [left, top, width, height].map((v) => v * scale);
}

let from = null;
picture.addEventListener("pointerdown", (event) => {
  from = event;
  picture.setPointerCapture(event.pointerId);
  event.preventDefault();
});
picture.addEventListener("pointermove", (event) => {
  if (!from) return;
  box.hidden = false;
  rectangle(from, event);
});
picture.addEventListener("pointerup", (event) => {
  const found = from && rectangle(from, event);
  from = null;
  if (found && found[2] > 4 && found[3] > 4) ask(found);
  else box.hidden = true;
});
by("look").addEventListener("click", () => {
  const values = [...by("numbers").querySelectorAll("input")].map((input) => input.valueAsNumber);
  if (values.every(Number.isFinite)) ask(values);
  else said.textContent = "Give the box four numbers.";
  box.hidden = true;
});

// ---- the body that turns

// As much of glTF's binary form as the server writes: one mesh, whole buffer views.
function geometry(glb) {
  const length = new DataView(glb.buffer).getUint32(12, true);
  const document = JSON.parse(new TextDecoder().decode(glb.subarray(20, 20 + length)));
  const array = (k, Type) => {
    const view = document.bufferViews[document.accessors[k].bufferView];
    return new Type(glb.buffer, 28 + length + view.byteOffset, view.byteLength / Type.BYTES_PER_ELEMENT);
  };
  const { indices, attributes } = document.meshes[0].primitives[0];
  const made = new BufferGeometry();
  made.setIndex(new BufferAttribute(array(indices, Uint32Array), 1));
  made.setAttribute("position", new BufferAttribute(array(attributes.POSITION, Float32Array), 3));
  made.setAttribute("color", new BufferAttribute(array(attributes.COLOR_0, Uint8Array), 4, true));
  made.computeVertexNormals();
  return made.center();
}

const table = turntable(canvas, { vertexColors: true }, 0);
if (!table) canvas.replaceWith("This browser has no WebGL: the mesh can be saved, but does not turn here.");

function choose(k, meshes) {
  const glb = bytes(meshes[k]);
  save.href = address("mesh", glb, "model/gltf-binary");
  [...people.children].forEach((one, j) => one.setAttribute("aria-pressed", j === k));
  table?.reset();
  table?.show(geometry(glb));
}

function button(k, found) {
  const made = document.createElement("button"), colour = document.createElement("i");
  made.type = "button";
  colour.style.background = found.colours[k]; // over the photo
  made.append(colour, `Person ${k + 1}`);
  made.addEventListener("click", () => choose(k, found.meshes));
  return made;
}
