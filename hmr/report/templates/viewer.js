// Turns the bodies whose pictures have the class "turning". Without WebGL the pictures stay as they are.
import { BufferAttribute, BufferGeometry } from "three";
import { turntable } from "turntable";

const { faces, solids } = JSON.parse(document.getElementById("bodies-data").textContent);
const [viewer, canvas, flat, named, sample, variant, back] =
  ["viewer", "body", "flat", "named", "sample", "variant", "back"].map((id) => document.getElementById(id));
const uint16 = (text) => new Uint16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

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

function start(table) {
  let came; // the button that led here
  const show = (k) => {
    const picture = pictures[k].querySelector("img");
    table.show(geometry(solids[k]));
    flat.src = picture.src;
    flat.alt = picture.alt;
    const about = `${solids[k].variant} on ${solids[k].sample}`;
    named.textContent = about;
    canvas.setAttribute("aria-label", `Mesh that turns with the arrow keys: ${about}`);
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
      came = button;
      back.hidden = false;
      viewer.scrollIntoView();
      canvas.focus({ preventScroll: true });
    });
    figure.append(button);
  });
  back.addEventListener("click", () => {
    came.focus({ preventScroll: true });
    came.scrollIntoView({ block: "center", inline: "center" });
    back.hidden = true;
  });
  viewer.hidden = document.getElementById("to-viewer").hidden = false;
  choose(0);
}

const pictures = [...document.querySelectorAll("figure.turning")];
const table = turntable(canvas, { color: 0xa6bddb }, 0.6);
if (table) start(table);
