// The devices page: makes this browser's key, and recognises it in the list.

import { find, make, register } from "./keys.js";

const form = document.querySelector("[data-make-key]");
const user = form.dataset.user;
const rows = [...document.querySelectorAll("[data-device]")];

await recognise();
suggestName();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const key = await make(user);
    form.elements.public_key.value = JSON.stringify(key.jwk);
    form.submit();
  } catch (error) {
    show(error);
    button.disabled = false;
  }
});

/** Marks the row that is this browser's key, and keeps its device id for signing. */
async function recognise() {
  const key = await find(user).catch(() => undefined);
  const row = key && rows.find((row) => row.dataset.key === key.jwk.x);
  if (!row) return;
  const isActive = row.querySelector("form") !== null;
  if (key.device !== row.dataset.device) await register(key, row.dataset.device);
  row.querySelector("[data-here]").hidden = !isActive;
  document.querySelector("[data-has-key]").hidden = !isActive;
  form.hidden = isActive;
}

/** "Chrome on Linux" is a good first name for a key. */
function suggestName() {
  const name = form.elements.name;
  if (name.value) return;
  const agent = navigator.userAgent;
  const browser = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]]
    .find(([mark]) => agent.includes(mark))?.[1] ?? "Browser";
  const system = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]]
    .find(([mark]) => agent.includes(mark))?.[1];
  name.value = system ? `${browser} on ${system}` : browser;
}

function show(error) {
  const notice = form.querySelector("[data-key-error]");
  notice.querySelector("[data-key-error-text]").textContent = error?.name === "InvalidStateError" || error?.name === "SecurityError"
    ? "This window does not keep anything, as private windows do. Use a normal window."
    : `This browser could not make or keep a key (${error?.name ?? "unknown reason"}). A current version of Chrome, Edge, Firefox or Safari can.`;
  notice.hidden = false;
}
