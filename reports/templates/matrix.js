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
  const showPair = () => {
    const pair = location.hash.slice(1).split("/", 2).join("/"); // of a check's own link, too: SRC/DST/ID
    const waiting = document.querySelector(`noscript[data-pair="${CSS.escape(pair)}"]`);
    if (!waiting) return;
    waiting.insertAdjacentHTML("beforebegin", waiting.textContent);
    waiting.remove();
    location.replace(location.hash); // an element that comes after its link was followed is no :target yet
  };
  window.addEventListener("hashchange", showPair);
  showPair();
  window.addEventListener("beforeprint", () => troubled().forEach((one) => { one.open = true; }));
})();
