// A session ends when nothing happens for a while. This warns a minute before, and clears the
// screen when it is over.

const WARNING_MS = 60_000;
const idle_ms = Number(document.body.dataset.idleS) * 1000;
const warning = document.querySelector("[data-timeout]");
let since_ms = Date.now();

warning.querySelector("[data-stay]").addEventListener("click", async () => {
  const answer = await fetch("/session", { cache: "no-store" }).catch(() => null);
  if (answer?.status === 204) {
    since_ms = Date.now();
    warning.hidden = true;
  } else if (answer) {
    leave();
  }
});

setInterval(() => {
  const left_ms = since_ms + idle_ms - Date.now();
  if (left_ms <= 0) leave();
  else if (left_ms <= WARNING_MS && warning.hidden) {
    warning.hidden = false;
    warning.querySelector("[data-stay]").focus();
  }
}, 1000);

function leave() {
  location.replace("/?out=idle");
}
