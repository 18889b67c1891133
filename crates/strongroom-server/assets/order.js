// Forms that a key must sign. The exact JSON of the order is built from what the form shows,
// reviewed, signed by this browser's key, and posted as plain form fields.

import { find, orderId, signDetached } from "./keys.js";

const form = document.querySelector("form[data-sign]");
if (form) await prepare(form);

async function prepare(form) {
  const { sign: purpose, audience, user, timeS } = form.dataset;
  // The server's clock counts, whatever this device's clock says.
  const ahead_ms = Number(timeS) * 1000 - Date.now();
  const now_ms = () => Date.now() + ahead_ms;
  const key = await find(user).catch(() => undefined);
  if (!key?.device) {
    form.querySelector("[data-no-key]").hidden = false;
    form.querySelector("[data-submit]").disabled = true;
    return;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    hideError(form);
    tidy(form);
    if (!(await confirmed(form, purpose))) return;
    const submit = form.querySelector("[data-submit]");
    submit.disabled = true;
    try {
      const order = JSON.stringify(orderOf(form, purpose, orderId(Math.trunc(now_ms()))));
      const expires_s = Math.trunc(now_ms() / 1000) + 300;
      const signature = await signDetached(key, { purpose, audience, expires_s }, new TextEncoder().encode(order));
      form.elements.order.value = order;
      form.elements.signature.value = signature;
      form.submit();
    } catch (error) {
      showError(form, `This browser could not sign (${error?.name ?? "unknown reason"}). Make a new key on your devices page.`);
      submit.disabled = false;
    }
  });
}

function orderOf(form, purpose, order_id) {
  const value = (name) => form.elements[name].value;
  const amount = { amount: value("amount"), currency: currencyOf(form) };
  if (purpose === "cash") {
    const order = { order_id, account: value("account"), amount };
    return value("reference") ? { ...order, reference: value("reference") } : order;
  }
  const order = { order_id, from: value("from"), to: value("to"), amount };
  return value("description") ? { ...order, description: value("description") } : order;
}

function currencyOf(form) {
  const chosen = form.elements.currency;
  return chosen ? chosen.value : form.elements.from.selectedOptions[0].dataset.currency;
}

/** What people type for comfort is taken out before it is shown for review and signed. */
function tidy(form) {
  for (const name of ["to", "account", "amount"]) {
    const field = form.elements[name];
    if (field) field.value = field.value.replace(/\s/g, "");
  }
  for (const name of ["description", "reference"]) {
    const field = form.elements[name];
    if (field) field.value = field.value.trim();
  }
}

/** Shows what will be signed and waits for the answer. */
function confirmed(form, purpose) {
  const dialog = document.querySelector("[data-review]");
  const rows = purpose === "cash"
    ? [["Account", grouped(form.elements.account.value)], ["Amount", amountOf(form)], ["Reference", form.elements.reference.value]]
    : [["From", form.elements.from.selectedOptions[0].textContent.split(" · ")[0].trim()], ["To", grouped(form.elements.to.value)],
       ["Amount", amountOf(form)], ["Description", form.elements.description.value]];
  dialog.querySelector("[data-review-list]").replaceChildren(...rows.filter(([, text]) => text).map(fact));
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.querySelector("[data-confirm]").onclick = () => dialog.close("confirmed");
    dialog.querySelector("[data-cancel]").onclick = () => dialog.close();
    dialog.onclose = () => resolve(dialog.returnValue === "confirmed");
  });
}

function amountOf(form) {
  return `${form.elements.amount.value.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",")} ${currencyOf(form)}`;
}

function grouped(number) {
  const text = number.replace(/-/g, "");
  if (/^\d{18}$/.test(text)) return text.replace(/^(\d{3})(\d{3})(\d{4})(\d{4})(\d{3})(\d)$/, "$1 $2 $3 $4 $5 $6");
  return number.startsWith("acct_") ? number : text.replace(/(.{4})(?=.)/g, "$1 ");
}

function fact([label, text]) {
  const row = document.createElement("div");
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  term.textContent = label;
  value.textContent = text;
  row.append(term, value);
  return row;
}

function showError(form, text) {
  const notice = form.querySelector("[data-sign-error]");
  notice.querySelector("[data-sign-error-text]").textContent = text;
  notice.hidden = false;
}

function hideError(form) {
  form.querySelector("[data-sign-error]").hidden = true;
}
