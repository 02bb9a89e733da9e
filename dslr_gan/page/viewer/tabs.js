() => {
  // The tab is in the address, so that a link leads to it.
  const names = { photo: "Photo", many: "Many photos", about: "About", programs: "For programs" };
  const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")];
  const called = (name) => tabs().find((tab) => tab.textContent.trim() === names[name]);
  for (const place of document.querySelectorAll(".dg-address"))
    place.textContent = location.origin + location.pathname;
  called(new URLSearchParams(location.search).get("tab"))?.click();
  document.querySelector("#tabs")?.addEventListener("click", (event) => {
    const words = event.target.closest("[role=tab]")?.textContent.trim();
    const name = Object.keys(names).find((one) => names[one] === words);
    if (!name) return;
    const address = new URL(location.href);
    address.searchParams.set("tab", name);
    history.replaceState(history.state, "", address);
  });
}
