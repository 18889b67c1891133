// How well the password would stand guessing, while it is typed. The bank's own server estimates it, the
// same that will get the password; nothing is kept.

const meter = document.querySelector("[data-strength]");
const form = meter?.closest("form");
const password = form?.elements.password ?? form?.elements.new_password;
const WORDS = ["Guessed at once", "Guessed quickly", "Fair", "Good", "Very good"];
let waiting = 0;
let newest = 0;

password?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(ask, 250);
});

async function ask() {
  const mine = ++newest;
  if (!password.value) {
    meter.hidden = true;
    return;
  }
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, password: password.value });
  for (const name of ["username", "email", "full_name"]) body.set(name, form.elements[name]?.value ?? "");
  const answer = await fetch("/sign-up/strength", { method: "POST", body, cache: "no-store" }).catch(() => null);
  if (!answer?.ok || mine !== newest) return;
  const { score, words } = await answer.json();
  meter.hidden = false;
  meter.querySelector("meter").value = score;
  meter.querySelector("span").textContent = words ? `${WORDS[score]}. ${words}` : WORDS[score];
}
