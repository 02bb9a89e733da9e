// The photo tab: what it knows and what it shows. shared.js and compare.js come before, asking.js and
// controls.js after it; Gradio runs them once as one function of element, trigger, props, server, upload, watch.

const root = element.querySelector(".dg");
const find = (selector) => root.querySelector(selector);
const all = (selector) => [...root.querySelectorAll(selector)];
const settings = props.settings;
const stage = find(".dg-stage");
const caption = makeCaption(root, {
  open: "Open another photo",
  retry: "Try again",
  resume: "Go on",
  reference: "Another DSLR photo",
});

const now = {
  job: 0,
  photo: null, // {name, upload and file | example}
  choice: settings.phones[0].name, // a phone, or "both"
  isChosen: false, // by the person, and not by the photo's EXIF
  strength: 1,
  colour: 1,
  detail: 1,
  view: "divider",
  size: null,
  original: null, // a picture's URL
  local: null, // its size, where the browser shows the person's own file
  phones: {}, // by name: {after, result, scores, ...}
  dslr: null,
  maps: {},
  layers: {},
  tables: {},
  session: null,
  busy: false,
};
const compare = makeCompare(stage, showZoom);
const titles = Object.fromEntries(settings.phones.map((phone) => [phone.name, phone.title]));
const chosen = () => (now.choice === "both" ? settings.phones.map((one) => one.name) : [now.choice]);
const finished = () => chosen().filter((name) => now.phones[name]?.result !== undefined);

// ---- What is shown

function render() {
  root.dataset.state = now.busy ? "working" : now.original ? "done" : "empty";
  root.dataset.view = now.view;
  const isDone = finished().length === chosen().length && !now.busy;
  find(".dg-download").disabled = !isDone;
  find(".dg-share").disabled = !isDone;
  find(".dg-reference-file").disabled = !isDone;
  find(".dg-views [value=map]").disabled = !isDone;
  find(".dg-views [value=dslr]").disabled = !now.dslr;
  find(".dg-forget").hidden = !now.dslr;
  find(".dg-reference .dg-open span").textContent = `Compare with ${now.dslr ? "another" : "a"} DSLR photo`;
  find(".dg-reference-words").textContent = now.dslr
    ? `Compared with ${now.dslr.reference.name}.`
    : "Any better photo of the same scene, in any size and framing: it is aligned, and both are measured against it.";
  if (now.view === "dslr" && !now.dslr) setView("divider");
  for (const radio of all(".dg-phones input")) radio.checked = radio.value === now.choice;
  for (const radio of all(".dg-views input")) radio.checked = radio.value === now.view;
  showStrength();
  showPanes();
  showNumbers();
}

function showPanes() {
  if (!now.original || !now.size) return;
  const original = now.original;
  const names = chosen();
  const panes = names.map((name) => {
    const one = now.phones[name];
    const pane = {
      original,
      enhanced: one?.after,
      left: "Original",
      right: one ? `${titles[name]} ${percent(now.strength)}` : "",
      cut: one ? "enhanced" : "",
      layer: now.layers[name],
    };
    if (now.view === "dslr" && now.dslr)
      return { ...pane, left: pane.right, right: "DSLR", over: now.dslr.picture, cut: "over" };
    if (now.view === "map") return { ...pane, over: now.maps[mapKey(name)]?.url, right: mapWords(), margin: MAP_MARGIN };
    if (now.view === "side") return { ...pane, left: pane.right, right: "", cut: "" };
    return pane;
  });
  if (now.view === "side") panes.unshift({ original, left: "Original" });
  compare.show(panes, now.size, now.dslr?.polygon);
}

// A window of SSIM that reaches beyond the DSLR photo sees nothing there: pixels of the photo.
const MAP_MARGIN = 8;
const mapWords = () => `Pink: differs from the ${now.dslr ? "DSLR" : "original"}${atFull()}`;

// The map and the scores against a DSLR photo know the strength alone. Equal amounts of colour and
// detail are less strength; of unequal ones the page says that they are left out.
const evenStrength = () => now.strength * (now.colour === now.detail ? now.colour : 1);
const atFull = () => (now.colour === now.detail ? "" : " (with all of colour and detail)");

function showStrength() {
  find(".dg-strength-range").value = Math.round(100 * now.strength);
  find(".dg-strength-value").textContent = percent(now.strength);
  for (const range of all(".dg-amount")) {
    range.value = Math.round(100 * now[range.dataset.amount]);
    range.nextElementSibling.textContent = percent(now[range.dataset.amount]);
  }
  compare.blend(blend());
  const names = finished();
  const name = names.length === 1 ? `${titles[names[0]]} ` : names.length ? "both " : "";
  const size = now.size && names.length ? ` · ${now.size.width}×${now.size.height}` : "";
  const parts = ["colour", "detail"].filter((part) => now[part] < 1).map((part) => `, ${part} ${percent(now[part])}`);
  find(".dg-download").textContent = `Download ${name}${percent(now.strength)}${parts.join("")}${size}`;
}

/** Opacities of the enhanced picture and of the layer below it, and which layer that is. */
function blend() {
  const { strength, colour, detail } = now;
  const top = strength * Math.min(colour, detail);
  const rest = strength * Math.abs(colour - detail);
  return {
    top,
    below: top < 1 ? rest / (1 - top) : 0,
    layer: colour > detail ? "colour" : detail > colour ? "detail" : null,
  };
}

const valueAt = (table, strengths, strength) => {
  if (!table) return null;
  const last = strengths.length - 1;
  const place = Math.min(last, Math.max(0, strength * last));
  const low = Math.floor(place);
  const high = Math.min(last, low + 1);
  return table[low] + (table[high] - table[low]) * (place - low);
};
const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));

function showNumbers() {
  const lines = [];
  for (const name of finished()) {
    const table = now.tables[name] || now.phones[name].scores;
    if (!table) continue;
    const at = (key) => number(valueAt(table[key], table.strengths, now.strength), 4);
    lines.push(
      `<div class="dg-change" data-phone="${name}"><span>${titles[name]}: how much changed</span>` +
        `<b>SSIM ${at("ssim")}</b><b>MS-SSIM ${at("ms_ssim")}</b>${curve(table)}</div>`,
    );
  }
  if (now.dslr) lines.push(gainTable());
  find(".dg-numbers").innerHTML = lines.join("");
  find(".dg-definition").textContent = lines.length
    ? `How much changed is the result against your photo: 1 is identical, and no measure of quality. ${settings.definition}`
    : "";
  const notes = finished().flatMap((name) => [now.phones[name].hint, ...(now.phones[name].notes || [])]);
  const sources = finished().map((name) => `${titles[name]} with ${now.phones[name].source}`);
  const models = sources.length ? `Enhanced by: ${sources.join(", ")}.` : "";
  const sentences = [...new Set(notes.filter(Boolean))].map((note) => note.replace(/\.?$/, "."));
  find(".dg-notes").textContent = [...sentences, models].join(" ").trim();
}

/** SSIM over the strength as a small drawing, with a point where the strength is. */
function curve(table) {
  if (!table.ssim) return "";
  const low = Math.min(...table.ssim);
  const high = Math.max(...table.ssim);
  const y = (value) => 22 - (20 * (value - low)) / (high - low || 1);
  const points = table.ssim.map((value, index) => `${2 + 80 * table.strengths[index]},${y(value).toFixed(1)}`);
  const here = valueAt(table.ssim, table.strengths, now.strength);
  return (
    '<svg class="dg-curve" viewBox="0 0 84 24" aria-hidden="true">' +
    `<polyline points="${points.join(" ")}"/><circle cx="${2 + 80 * now.strength}" cy="${y(here)}" r="2.5"/></svg>`
  );
}

function gainTable() {
  const digits = { psnr: 2, ssim: 4, ms_ssim: 4 };
  const names = { psnr: "PSNR (dB)", ssim: "SSIM", ms_ssim: "MS-SSIM" };
  const cells = (values) => Object.keys(names).map((key) => `<td>${values(key)}</td>`).join("");
  const rows = [
    `<tr><th scope="row">Phone photo</th>${cells((key) => number(now.dslr.phone[key], digits[key]))}</tr>`,
  ];
  for (const name of finished()) {
    const table = now.dslr.enhanced[name];
    if (!table) continue;
    const at = (key) => valueAt(table[key], now.dslr.strengths, evenStrength());
    const gain = (key) => {
      if (at(key) === null || now.dslr.phone[key] === null) return "–";
      const value = at(key) - now.dslr.phone[key];
      const sign = value < 0 ? "−" : "+";
      return `<span data-gain="${value < 0 ? "loss" : "gain"}">${sign}${Math.abs(value).toFixed(digits[key])}</span>`;
    };
    rows.push(
      `<tr><th scope="row">${titles[name]} ${percent(evenStrength())}</th>${cells((key) => number(at(key), digits[key]))}</tr>`,
      `<tr class="dg-gain"><th scope="row">Gain</th>${cells(gain)}</tr>`,
    );
  }
  const heads = Object.values(names).map((name) => `<th scope="col">${name}</th>`).join("");
  return (
    `<table class="dg-quality"><caption>Against the DSLR photo, over the ${percent(now.dslr.overlap)} of the ` +
    `photo that both show${atFull()}. Higher is better.</caption><thead><tr><th></th>${heads}</tr></thead>` +
    `<tbody>${rows.join("")}</tbody></table>`
  );
}

function showZoom() {
  if (compare.at.zoom >= 1) fetchExact();
  for (const button of all(".dg-zoom button"))
    button.setAttribute("aria-pressed", Number(button.dataset.zoom) === compare.at.zoom);
  find(".dg-hold").setAttribute("aria-pressed", compare.at.holding);
}

function remember() {
  const address = new URL(location.href);
  address.searchParams.set("phone", now.choice);
  address.searchParams.set("strength", Math.round(100 * now.strength));
  history.replaceState(history.state, "", address);
}
