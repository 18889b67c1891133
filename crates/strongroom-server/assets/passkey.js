// Passkeys: making one on the security page, signing in with one, and giving one again. The server's options hold binary
// members in base64url; so do the answers.

const make = document.querySelector("[data-make-passkey]");
const use = document.querySelector("[data-use-passkey]");

if (window.PublicKeyCredential) {
  if (make) offer(make, add);
  if (use) offer(use, sign);
}

/** Shows a form that was hidden for browsers without passkeys, and runs what it is for. */
function offer(form, run) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await run(form);
    } catch (error) {
      show(form, error);
      button.disabled = false;
    }
  });
}

async function add(form) {
  const answer = await fetch(form.dataset.begin, {
    method: "POST",
    body: new URLSearchParams({ csrf: form.elements.csrf.value }),
    cache: "no-store",
  });
  if (answer.status === 403) return location.assign("/step-up");
  if (!answer.ok) throw new Error("refused");
  const { id, options } = await answer.json();
  const key = options.publicKey;
  key.challenge = bytes(key.challenge);
  key.user.id = bytes(key.user.id);
  for (const known of key.excludeCredentials ?? []) known.id = bytes(known.id);
  const made = await navigator.credentials.create(options);
  form.elements.answer.value = JSON.stringify({
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    extensions: {},
    response: {
      attestationObject: text(made.response.attestationObject),
      clientDataJSON: text(made.response.clientDataJSON),
      transports: made.response.getTransports?.() ?? [],
    },
  });
  form.action = `${form.dataset.begin}/${id}`;
  form.submit();
}

async function sign(form) {
  const answer = await fetch(form.dataset.ask, {
    method: "POST",
    body: new URLSearchParams({ csrf: form.elements.csrf.value }),
    cache: "no-store",
  });
  if (!answer.ok) throw new Error("refused");
  const { challenge, options } = await answer.json();
  options.publicKey.challenge = bytes(options.publicKey.challenge);
  options.publicKey.allowCredentials = [];
  const used = await navigator.credentials.get(options);
  form.elements.challenge.value = challenge;
  form.elements.answer.value = JSON.stringify({
    id: used.id,
    rawId: text(used.rawId),
    type: used.type,
    extensions: {},
    response: {
      authenticatorData: text(used.response.authenticatorData),
      clientDataJSON: text(used.response.clientDataJSON),
      signature: text(used.response.signature),
      userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
    },
  });
  form.submit();
}

function show(form, error) {
  const words = {
    NotAllowedError: "It was cancelled, took too long, or this device has no passkey of this bank.",
    InvalidStateError: "This device holds a passkey of yours already.",
    SecurityError: "Passkeys work under the bank's own name only. Open the bank by its name, not by a number.",
  };
  form.querySelector("[data-passkey-error-text]").textContent =
    words[error?.name] ?? "The bank or the browser refused. Try again, or sign in with your password.";
  form.querySelector("[data-passkey-error]").hidden = false;
}

function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
}

function text(buffer) {
  const signs = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(signs).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
