() => {
  // The tab is in the address, so that a link leads to it. Gradio makes a tab when it is first seen.
  const names = { photo: "Photo", many: "Many photos", about: "About", programs: "For programs" };
  const called = (name) =>
    [...document.querySelectorAll("#tabs [role=tab]")].find((tab) => tab.textContent.trim() === names[name]);
  const fill = () => {
    for (const place of document.querySelectorAll(".dg-address"))
      place.textContent = location.origin + location.pathname;
  };
  document.querySelector("#tabs")?.addEventListener("click", (event) => {
    const words = event.target.closest("[role=tab]")?.textContent.trim();
    const name = Object.keys(names).find((one) => names[one] === words);
    if (!name) return;
    const address = new URL(location.href);
    address.searchParams.set("tab", name);
    history.replaceState(history.state, "", address);
    setTimeout(fill, 200);
  });
  called(new URLSearchParams(location.search).get("tab"))?.click();
}
