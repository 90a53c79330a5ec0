// The boxes of a flame graph, made to be clicked. Names come only out of the document and go back into it only
// as text.
(function () {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", HTML = "http://www.w3.org/1999/xhtml";
  const LEFT = 10, WIDE = 1180, TOP = 74, ROW = 17, CHARACTER = 7.25;
  const svg = document.documentElement;
  const $ = (id) => document.getElementById(id);

  // Parents come before their children, so that what lies below a box follows it.
  const boxes = Array.from(document.querySelectorAll("#frames > g"), (group, index) => {
    const rect = group.querySelector("rect");
    const number = (name) => parseFloat(rect.getAttribute(name));
    const lines = group.querySelector("title").textContent.split("\n");
    return {
      index, group, rect, lines, name: lines[0], text: group.querySelector("text"),
      isRest: group.classList.contains("rest"),
      x: number("x"), width: number("width"), depth: Math.round((number("y") - TOP) / ROW),
      parent: null, children: [],
    };
  });
  if (boxes.length === 0) return;
  const root = boxes[0], rows = boxes.reduce((most, box) => Math.max(most, box.depth), 0) + 1;
  const path = [];
  for (const box of boxes) {
    path.length = box.depth;
    box.parent = path[box.depth - 1] || null;
    if (box.parent) box.parent.children.push(box);
    path.push(box);
  }

  let zoomed = root, chosen = null, isFlame = false, search = null;
  const before = [];

  // What lies below a box is a run of boxes.
  for (const box of boxes) box.end = box.index + 1;
  for (const box of boxes.slice(1).reverse()) box.parent.end = Math.max(box.parent.end, box.end);
  const contains = (outer, inner) => outer.index <= inner.index && inner.index < outer.end;

  function draw() {
    const scale = WIDE / zoomed.width;
    for (const box of boxes) {
      const isAround = box !== zoomed && contains(box, zoomed);
      const x = isAround ? LEFT : LEFT + (box.x - zoomed.x) * scale;
      const width = isAround ? WIDE : box.width * scale;
      const isShown = isAround || (contains(zoomed, box) && width > 0);
      box.group.style.display = isShown ? "" : "none";
      if (!isShown) continue;
      const y = TOP + (isFlame ? rows - 1 - box.depth : box.depth) * ROW;
      box.rect.setAttribute("x", x);
      box.rect.setAttribute("width", width);
      box.rect.setAttribute("y", y);
      box.group.classList.toggle("faded", isAround);
      write(box, x, y, width);
    }
    button.back.style.display = zoomed === root ? "none" : "";
    button.turn.textContent = isFlame ? "icicle" : "flame";
  }

  function write(box, x, y, width) {
    const room = Math.floor((width - 6) / CHARACTER);
    if (room < 3) {
      if (box.text) box.text.textContent = "";
      return;
    }
    if (!box.text) box.text = box.group.appendChild(document.createElementNS(SVG, "text"));
    const letters = Array.from(box.name);
    box.text.textContent = letters.length <= room ? box.name : letters.slice(0, room - 1).join("") + "…";
    box.text.setAttribute("x", x + 3);
    box.text.setAttribute("y", y + 12);
  }

  function zoom(box) {
    if (box.isRest || box === zoomed) return;
    before.push(zoomed);
    zoomed = box;
    draw();
    tellMatches();
  }

  function back() {
    zoomed = before.pop() || root;
    draw();
    tellMatches();
  }

  function reset() {
    before.length = 0;
    zoomed = root;
    draw();
    tellMatches();
  }

  // What is not a regular expression is looked for as it is.
  function pattern(text) {
    try {
      return new RegExp(text, "i");
    } catch {
      return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
    }
  }

  function find(text) {
    search = text === "" ? null : pattern(text);
    for (const box of boxes) {
      box.isHit = search !== null && !box.isRest && search.test(box.name);
      box.group.classList.toggle("hit", box.isHit);
    }
    tellMatches();
  }

  // A stack counts once, however many of its frames match.
  function tellMatches() {
    let width = 0, frames = 0, end = -1;
    for (const box of boxes) {
      if (!box.isHit || !contains(zoomed, box)) continue;
      frames += 1;
      if (box.x >= end - 1e-6) {
        width += box.width;
        end = box.x + box.width;
      }
    }
    const share = Math.min(100, 100 * width / zoomed.width);
    $("matched").textContent = search === null ? "" : `matched ${share.toFixed(2)}% in ${frames} frames`;
  }

  function tell(box) {
    const line = box ? box.lines.join("  ·  ") : "";
    const letters = Array.from(line), room = Math.floor((WIDE - 330) / CHARACTER);
    $("details").textContent = letters.length <= room ? line : letters.slice(0, room - 1).join("") + "…";
  }

  function choose(box) {
    if (!box) return;
    if (chosen) chosen.group.classList.remove("chosen");
    chosen = box;
    box.group.classList.add("chosen");
    tell(box);
  }

  function move(key) {
    if (!chosen || !contains(zoomed, chosen)) return choose(zoomed);
    const inwards = isFlame ? "ArrowUp" : "ArrowDown", outwards = isFlame ? "ArrowDown" : "ArrowUp";
    const beside = chosen.parent ? chosen.parent.children : [chosen];
    const at = beside.indexOf(chosen);
    if (key === inwards) choose(chosen.children[0]);
    else if (key === outwards) choose(chosen === zoomed ? null : chosen.parent);
    else choose(beside[at + (key === "ArrowRight" ? 1 : -1)]);
  }

  // The parts that only a script can serve.
  function line(id, x, y, anchor, text) {
    const it = svg.insertBefore(document.createElementNS(SVG, "text"), $("frames"));
    it.id = id;
    it.setAttribute("x", x);
    it.setAttribute("y", y);
    it.setAttribute("text-anchor", anchor);
    it.textContent = text;
    return it;
  }
  const button = {};
  for (const [id, x, action] of [["back", 900, back], ["reset", 950, reset], ["turn", 1010, turn]]) {
    button[id] = line(id, x, 24, "start", id);
    button[id].setAttribute("class", "button");
    button[id].addEventListener("click", action);
  }
  line("matched", LEFT + WIDE, 62, "end", "");
  const holder = svg.insertBefore(document.createElementNS(SVG, "foreignObject"), $("frames"));
  for (const [name, value] of [["x", 900], ["y", 30], ["width", 290], ["height", 22]]) holder.setAttribute(name, value);
  const input = holder.appendChild(document.createElementNS(HTML, "input"));
  input.id = "search";
  input.placeholder = "/ search (regular expression)";
  input.addEventListener("input", () => find(input.value));

  function turn() {
    isFlame = !isFlame;
    draw();
  }

  const ofGroup = new Map(boxes.map((box) => [box.group, box]));
  const under = (event) => ofGroup.get(event.target.closest("g"));
  $("frames").addEventListener("click", (event) => under(event) && zoom(under(event)));
  $("frames").addEventListener("mouseover", (event) => tell(under(event)));
  $("frames").addEventListener("mouseleave", () => tell(chosen));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (search !== null || input.value !== "") {
        input.value = "";
        find("");
      } else {
        reset();
      }
      input.blur();
      return;
    }
    if (document.activeElement === input) return;
    if (event.key === "/") input.focus();
    else if (event.key.startsWith("Arrow")) move(event.key);
    else if (event.key === "Enter" && chosen) zoom(chosen);
    else if (event.key === "Backspace") back();
    else if (event.key === "f") turn();
    else return;
    event.preventDefault();
  });

  draw();
})();
