// Panes that lay pictures of one scene over each other: a divider, one zoom and one place for all.
// A picture keeps its own pixels: zoom 1 is one pixel of the photo on one pixel of the screen.

/** A convex polygon whose edges are moved towards its middle by so much at least. */
function shrunk(polygon, by) {
  const middle = [0, 1].map((axis) => polygon.reduce((sum, point) => sum + point[axis], 0) / polygon.length);
  const distances = polygon.map(([x, y], index) => {
    const [nextX, nextY] = polygon[(index + 1) % polygon.length];
    const [alongX, alongY] = [nextX - x, nextY - y];
    const length = Math.hypot(alongX, alongY);
    return length ? Math.abs(alongX * (middle[1] - y) - alongY * (middle[0] - x)) / length : Infinity;
  });
  const factor = Math.max(0, 1 - by / Math.min(...distances));
  return polygon.map((point) => point.map((value, axis) => middle[axis] + factor * (value - middle[axis])));
}

const HOLD_MS = 300; // a mouse button that is pressed for longer shows the original

function makeCompare(stage, moved) {
  const holder = stage.querySelector(".dg-panes");
  const panes = [];
  const at = { split: 0.5, zoom: 0, x: 0.5, y: 0.5, holding: false };
  let blending = { top: 1, below: 0, layer: null };
  let size = { width: 3, height: 2 };
  let overlap = null;

  function newPane() {
    const pane = document.createElement("div");
    pane.className = "dg-pane";
    pane.innerHTML =
      '<div class="dg-picture"><img class="dg-original" draggable="false">' +
      '<img class="dg-layer" draggable="false"><img class="dg-enhanced" draggable="false"><div class="dg-within"><img class="dg-over" draggable="false"></div>' +
      '<svg class="dg-overlap" preserveAspectRatio="none" aria-hidden="true"><polygon/></svg></div>' +
      '<div class="dg-line" aria-hidden="true"></div>' +
      '<span class="dg-tag dg-left"></span><span class="dg-tag dg-right"></span>' +
      '<input type="range" class="dg-divider" min="0" max="1000" value="500">';
    const divider = pane.querySelector(".dg-divider");
    const divide = () => {
      at.split = divider.value / 1000;
      moved();
      draw();
    };
    divider.addEventListener("input", divide);
    // A pointer moves it by a thousandth, an arrow key by a hundredth: so a held key crosses the
    // picture in seconds.
    divider.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -10, ArrowDown: -10, ArrowRight: 10, ArrowUp: 10 }[event.key];
      if (!way) return;
      event.preventDefault();
      divider.value = Number(divider.value) + way;
      divide();
    });
    holder.append(pane);
    return pane;
  }

  function setPicture(image, source, words) {
    image.hidden = !source;
    image.alt = source ? words : "";
    if (source && image.dataset.source !== source) {
      image.dataset.source = source;
      image.src = source;
    }
    if (!source) {
      image.removeAttribute("src");
      delete image.dataset.source;
    }
  }

  /** Show panes: each has original, enhanced, over (sources or null), left, right, cut, margin. */
  function show(wanted, newSize, newOverlap) {
    size = newSize;
    overlap = newOverlap;
    while (panes.length < wanted.length) panes.push(newPane());
    while (panes.length > wanted.length) panes.pop().remove();
    holder.dataset.panes = wanted.length;
    stage.style.setProperty("--ratio", (wanted.length * size.width) / size.height); // side by side
    stage.style.setProperty("--upright", size.width / (wanted.length * size.height)); // one below the other
    wanted.forEach((one, index) => {
      const pane = panes[index];
      pane.dataset.cut = one.cut || "";
      pane.layers = one.layer;
      const part = (name) => pane.querySelector(name);
      setPicture(part(".dg-original"), one.original, "The photo as it was");
      setPicture(part(".dg-enhanced"), one.enhanced, "The enhanced photo");
      setPicture(part(".dg-over"), one.over, one.right);
      // Two pictures that are the same to a screen reader are one.
      part(".dg-layer").setAttribute("aria-hidden", "true");
      for (const side of ["left", "right"]) {
        part(`.dg-${side}`).textContent = one[side] || "";
        part(`.dg-${side}`).hidden = !one[side];
      }
      const divider = part(".dg-divider");
      divider.hidden = part(".dg-line").hidden = !one.cut;
      divider.setAttribute("aria-label", `Divider between ${one.left} and ${one.right}`);
      // Where the other photo shows nothing, the picture below stays.
      part(".dg-within").style.clipPath = overlap
        ? `polygon(${shrunk(overlap, one.margin || 0).map(([x, y]) => `${(100 * x) / size.width}% ${(100 * y) / size.height}%`)})`
        : "";
      const outline = part(".dg-overlap");
      outline.hidden = !overlap;
      if (overlap) {
        outline.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
        outline.firstChild.setAttribute("points", overlap.map((point) => point.join(",")).join(" "));
      }
    });
    blend(blending);
    draw();
  }

  /** Lay the enhanced picture over the original with the opacities of an amount of change. */
  function blend(wanted) {
    blending = wanted;
    for (const pane of panes) {
      const layer = pane.querySelector(".dg-layer");
      setPicture(layer, wanted.layer && pane.layers?.[wanted.layer], "");
      layer.style.opacity = wanted.below;
      pane.querySelector(".dg-enhanced").style.opacity = wanted.top;
    }
  }

  const fitting = () => {
    const box = panes[0] || stage;
    return Math.min(box.clientWidth / size.width, box.clientHeight / size.height) || 1;
  };
  const scale = () => (at.zoom ? at.zoom / devicePixelRatio : fitting());

  /** Where the picture's corner lies in a pane: inside it where it is larger, else centred. */
  function corner(length, pictureLength, centre) {
    const wanted = length / 2 - centre * pictureLength;
    const isSmaller = pictureLength <= length;
    const kept = isSmaller ? (length - pictureLength) / 2 : Math.min(0, Math.max(length - pictureLength, wanted));
    return Math.round(kept * devicePixelRatio) / devicePixelRatio;
  }

  function draw() {
    const by = scale();
    stage.dataset.zoomed = Boolean(at.zoom) && by > fitting();
    for (const pane of panes) {
      const [width, height] = [pane.clientWidth, pane.clientHeight];
      const [wide, high] = [size.width * by, size.height * by];
      const left = corner(width, wide, at.x);
      const top = corner(height, high, at.y);
      const picture = pane.querySelector(".dg-picture");
      // The labels, the line and its range stay on the picture.
      const [from, to] = [Math.max(0, left), Math.min(width, left + wide)];
      pane.style.setProperty("--left", `${from}px`);
      pane.style.setProperty("--right", `${width - to}px`);
      pane.style.setProperty("--above", `${Math.max(0, top)}px`);
      pane.style.setProperty("--below", `${Math.max(0, height - top - high)}px`);
      const isNarrow = to - from < 260; // too narrow for the labels, which then stand beside it
      pane.style.setProperty("--labels", isNarrow ? 0 : 1);
      const line = from + at.split * (to - from);
      picture.style.width = `${wide}px`;
      picture.style.height = `${high}px`;
      picture.style.transform = `translate(${left}px, ${top}px)`;
      picture.dataset.sharp = by * devicePixelRatio >= 2;
      const cut = (line - left) / wide;
      const inset = `inset(0 0 0 ${100 * Math.min(1, Math.max(0, cut))}%)`;
      const over = pane.querySelector(".dg-over");
      for (const kind of ["enhanced", "layer"])
        pane.querySelector(`.dg-${kind}`).style.clipPath = pane.dataset.cut === "enhanced" ? inset : "";
      over.style.clipPath = pane.dataset.cut ? inset : "";
      pane.dataset.holding = at.holding;
      pane.querySelector(".dg-line").style.left = `${line}px`;
      const divider = pane.querySelector(".dg-divider");
      divider.value = Math.round(1000 * at.split);
      divider.setAttribute("aria-valuetext", `${Math.round(100 * at.split)} %`);
    }
  }

  /** Zoom to a factor (0 fits) with the picture's point under (clientX, clientY) kept there. */
  function zoom(factor, clientX, clientY) {
    const pane = paneAt(clientX, clientY);
    if (pane) {
      const [x, y, offsetX, offsetY] = pointIn(pane, clientX, clientY);
      at.zoom = factor;
      centreOn(pane, x, y, offsetX, offsetY);
    } else at.zoom = factor;
    moved();
    draw();
  }

  const paneAt = (x, y) =>
    panes.find((pane) => {
      const box = pane.getBoundingClientRect();
      return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
    });

  /** The picture's point (fractions) under a place of the window, and its offset in the pane. */
  function pointIn(pane, clientX, clientY) {
    const shown = pane.querySelector(".dg-picture").getBoundingClientRect();
    const box = pane.getBoundingClientRect();
    return [
      Math.min(1, Math.max(0, (clientX - shown.left) / shown.width)),
      Math.min(1, Math.max(0, (clientY - shown.top) / shown.height)),
      clientX - box.left,
      clientY - box.top,
    ];
  }

  /** Choose the centre so that the point (x, y) lies at an offset in the pane. */
  function centreOn(pane, x, y, offsetX, offsetY) {
    const by = scale();
    at.x = x + (pane.clientWidth / 2 - offsetX) / (size.width * by);
    at.y = y + (pane.clientHeight / 2 - offsetY) / (size.height * by);
    keepInside(pane);
  }

  function keepInside(pane) {
    const by = scale();
    for (const [axis, length, whole] of [
      ["x", pane.clientWidth, size.width * by],
      ["y", pane.clientHeight, size.height * by],
    ]) {
      const margin = Math.min(0.5, length / 2 / whole);
      at[axis] = Math.min(1 - margin, Math.max(margin, at[axis]));
    }
  }

  function pan(byX, byY) {
    if (!panes.length) return;
    const by = scale();
    at.x -= byX / (size.width * by);
    at.y -= byY / (size.height * by);
    keepInside(panes[0]);
    draw();
  }

  function hold(whether) {
    at.holding = whether;
    draw();
    moved();
  }

  listen();
  new ResizeObserver(draw).observe(stage);
  return { show, draw, blend, zoom, pan, hold, scale, at };

  // Mouse: click zooms, drag moves, a long press shows the original; fingers: two zoom and move.
  function listen() {
    const fingers = new Map();
    let mouse = null;
    let pinch = null;
    let press = null;
    const middle = (points) => [
      (points[0].clientX + points[1].clientX) / 2,
      (points[0].clientY + points[1].clientY) / 2,
      Math.hypot(points[0].clientX - points[1].clientX, points[0].clientY - points[1].clientY),
    ];
    holder.addEventListener("pointerdown", (event) => {
      if (event.target.matches(".dg-divider")) return;
      if (event.pointerType === "touch") {
        fingers.set(event.pointerId, event);
        clearTimeout(press);
        // A finger that rests shows the original; one that moves scrolls the page.
        if (fingers.size === 1) press = setTimeout(() => hold(true), 350);
        if (fingers.size === 2) pinch = middle([...fingers.values()]);
        return;
      }
      if (event.button) return;
      stage.focus({ preventScroll: true });
      mouse = { x: event.clientX, y: event.clientY, dragged: false, pressed: event.timeStamp };
      mouse.timer = setTimeout(() => hold(true), HOLD_MS);
      holder.setPointerCapture(event.pointerId);
    });
    holder.addEventListener("pointermove", (event) => {
      if (fingers.has(event.pointerId)) {
        const began = fingers.get(event.pointerId);
        const isResting = Math.hypot(event.clientX - began.clientX, event.clientY - began.clientY) < 8;
        if (fingers.size === 1 && isResting) return;
        clearTimeout(press);
        fingers.set(event.pointerId, event);
        if (fingers.size !== 2) return;
        const now = middle([...fingers.values()]);
        pan(now[0] - pinch[0], now[1] - pinch[1]);
        const factor = (scale() * devicePixelRatio * now[2]) / pinch[2];
        zoom(factor <= fitting() * devicePixelRatio ? 0 : Math.min(8, factor), now[0], now[1]);
        pinch = now;
      } else if (mouse) {
        const [byX, byY] = [event.clientX - mouse.x, event.clientY - mouse.y];
        if (!mouse.dragged && Math.hypot(byX, byY) < 4) return;
        clearTimeout(mouse.timer);
        mouse.dragged = true;
        if (at.zoom && !at.holding) pan(byX, byY);
        [mouse.x, mouse.y] = [event.clientX, event.clientY];
      }
    });
    const lifted = (event) => {
      clearTimeout(press);
      if (fingers.delete(event.pointerId) && at.holding) hold(false);
      if (!mouse) return;
      clearTimeout(mouse.timer);
      if (at.holding) hold(false);
      // By the events' own times: on a busy machine the timer may come late, or both at once.
      const isClick = event.timeStamp - mouse.pressed < HOLD_MS;
      if (isClick && !mouse.dragged && event.type === "pointerup") {
        const next = { 0: 1, 1: 2 }[at.zoom] ?? 0;
        zoom(next, event.clientX, event.clientY);
      }
      mouse = null;
    };
    holder.addEventListener("pointerup", lifted);
    holder.addEventListener("pointercancel", lifted);
    holder.addEventListener("contextmenu", (event) => at.holding && event.preventDefault());
    // A browser hands a pinch over the picture to us only if nothing else may take it.
    stage.addEventListener("touchmove", (event) => event.touches.length > 1 && event.preventDefault(), {
      passive: false,
    });
    stage.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return; // the wheel alone scrolls the page
        event.preventDefault();
        const factor = scale() * devicePixelRatio * Math.exp(-event.deltaY / 200);
        const whole = fitting() * devicePixelRatio;
        zoom(factor <= whole ? 0 : Math.min(8, factor), event.clientX, event.clientY);
      },
      { passive: false },
    );
  }
}
