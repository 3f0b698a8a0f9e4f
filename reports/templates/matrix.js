"use strict";
(() => {
  const page = document.documentElement;
  const tools = document.querySelector(".tools");
  if (!tools) return;
  tools.hidden = false;
  const troubled = () => document.querySelectorAll("details.answer:not(.o-pass):not(.o-not-applicable)");
  const only = document.getElementById("only");
  only.addEventListener("click", () => {
    const on = only.getAttribute("aria-pressed") !== "true";
    only.setAttribute("aria-pressed", String(on));
    page.classList.toggle("only-trouble", on);
  });
  document.getElementById("open").addEventListener("click", () => troubled().forEach((one) => { one.open = true; }));
  document.getElementById("close").addEventListener("click", () =>
    document.querySelectorAll("main details[open]").forEach((one) => { one.open = false; }));
  window.addEventListener("beforeprint", () => troubled().forEach((one) => { one.open = true; }));
})();
