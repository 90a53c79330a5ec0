// The page: groups stacks, draws them, and lists functions. Data comes from the page itself, and becomes text
// and nothing else.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const ROW = 17, NARROWEST = 0.5, MOST_ROWS = 1000;
  const REST = data.labels.length - 1;

  // --- the page's parts ------------------------------------------------------------------------------

  function add(parent, kind, properties, text) {
    const it = document.createElement(kind);
    Object.assign(it, properties);
    if (text !== undefined) it.textContent = text;
    parent.appendChild(it);
    return it;
  }
  function choice(bar, id, name, options, chosen) {
    const label = add(bar, "label", {}, name + " ");
    const select = add(label, "select", { id });
    for (const [value, text] of options) add(select, "option", { value, selected: String(value) === String(chosen) }, text);
    return select;
  }
  const body = document.body;
  add(body, "h1", {}, data.title);
  add(body, "div", { id: "facts" }, data.facts.join(" · "));
  const bar = add(body, "div", { id: "bar" });
  const ofType = choice(bar, "type", "value", data.types.map((type, index) => [index, type[0]]), data.type);
  const groupings = ["none", "thread", "process", "container", "pod", "namespace", "node"];
  const known = groupings.filter((word) => word === "none" || data.owners[word]);
  const ofGroup = choice(bar, "grouping", "group by", known.map((word) => [word, word]), data.grouping);
  const input = add(bar, "input", { id: "search", placeholder: "/ search (regular expression)" });
  const matched = add(bar, "span", { id: "matched" });
  const buttons = {};
  for (const id of ["back", "reset", "turn"]) buttons[id] = add(bar, "button", { id, type: "button" }, id);
  const details = add(body, "div", { id: "details" });
  const graph = add(body, "div", { id: "graph" });
  const table = add(body, "table", { id: "table" });

  // --- values ----------------------------------------------------------------------------------------

  const digits = new Intl.NumberFormat("en");
  function show(value) {
    const [name, unit] = data.types[state.type];
    const scaled = (steps) => {
      let [factor, word] = steps[0];
      for (const step of steps) if (value >= step[0]) [factor, word] = step;
      const shown = value / factor;
      return (factor === 1 ? digits.format(shown) : shown.toFixed(2)) + " " + word;
    };
    if (unit === "nanoseconds") return scaled([[1, "ns"], [1e3, "µs"], [1e6, "ms"], [1e9, "s"]]);
    if (unit === "bytes") return scaled([[1, "B"], [1024, "KiB"], [1048576, "MiB"], [1073741824, "GiB"]]);
    return digits.format(value) + " " + (unit === "count" ? name : unit);
  }
  const percent = (part, whole) => (whole > 0 ? 100 * part / whole : 0).toFixed(2) + "%";

  // --- the tree --------------------------------------------------------------------------------------

  // Labels beyond those of the data are names of groups.
  function labelOf(label) {
    if (label < data.labels.length) return data.labels[label];
    return [data.owners[state.grouping].names[label - data.labels.length], "", "owner", "#c8c8c8"];
  }

  function build() {
    const parent = [0], label = [0], own = [0];
    const of = new Map();
    const child = (around, name) => {
      const key = around * 33554432 + name;
      let node = of.get(key);
      if (node === undefined) {
        node = parent.length;
        of.set(key, node);
        parent.push(around);
        label.push(name);
        own.push(0);
      }
      return node;
    };
    const groups = state.grouping === "none" ? null : data.owners[state.grouping].of;
    const values = data.values[state.type];
    // Group by group, so that one memory of where each stack went is enough.
    const order = Uint32Array.from(values, (_, sample) => sample);
    const groupOf = (sample) => (groups ? groups[data.whose[sample]] : 0);
    if (groups) order.sort((one, other) => groupOf(one) - groupOf(other) || one - other);
    const known = new Int32Array(data.parents.length);
    const path = [];
    let last = -1;
    for (const sample of order) {
      if (values[sample] === 0) continue;
      const group = groupOf(sample);
      if (group !== last) {
        known.fill(-1);
        known[0] = groups ? child(0, data.labels.length + group) : 0;
        last = group;
      }
      let at = data.nodes[sample];
      path.length = 0;
      while (known[at] < 0) {
        path.push(at);
        at = data.parents[at];
      }
      let node = known[at];
      while (path.length > 0) {
        at = path.pop();
        node = child(node, data.frames[at]);
        known[at] = node;
      }
      own[node] += values[sample];
    }
    const total = own.slice();
    for (let node = parent.length - 1; node > 0; node--) total[parent[node]] += total[node];
    const children = parent.map(() => []);
    for (let node = 1; node < parent.length; node++) children[parent[node]].push(node);
    for (const list of children) list.sort((one, other) => total[other] - total[one] || one - other);
    return { parent, label, own, total, children };
  }

  // --- what is looked at -----------------------------------------------------------------------------

  const state = { type: data.type, grouping: known.includes(data.grouping) ? data.grouping : "none", zoomed: 0,
    chosen: null, isFlame: false, search: null, sort: "own" };
  let tree = null, before = [], drawn = new Map();

  function rebuild() {
    tree = build();
    before = [];
    state.zoomed = 0;
    state.chosen = null;
    draw();
    list();
  }

  function draw() {
    const width = graph.clientWidth, { total, children, parent } = tree;
    graph.textContent = "";
    drawn = new Map();
    const around = [];
    for (let node = state.zoomed; node !== 0; ) around.unshift(node = parent[node]);
    const boxes = around.map((node, depth) => ({ node, x: 0, width, depth, isAround: true }));
    const walk = [{ node: state.zoomed, x: 0, width, depth: around.length }];
    const scale = width / Math.max(1, total[state.zoomed]);
    while (walk.length > 0) {
      const box = walk.pop();
      boxes.push(box);
      if (box.rest) continue;
      let x = box.x, rest = 0, weight = 0;
      for (const node of children[box.node]) {
        const wide = total[node] * scale;
        if (wide >= NARROWEST) {
          walk.push({ node, x, width: wide, depth: box.depth + 1 });
          x += wide;
        } else {
          rest += 1;
          weight += total[node];
        }
      }
      if (rest > 0) walk.push({ rest, weight, node: box.node, x, width: weight * scale, depth: box.depth + 1 });
    }
    const rows = boxes.reduce((most, box) => Math.max(most, box.depth), 0) + 1;
    graph.style.height = rows * ROW + "px";
    const all = document.createDocumentFragment();
    for (const box of boxes) {
      const it = add(all, "div", { className: "f" });
      const [name, , , color] = box.rest ? [restName(box.rest), "", "", "#c8c8c8"] : labelOf(tree.label[box.node]);
      it.style.left = box.x + "px";
      it.style.width = Math.max(box.width, NARROWEST) + "px";
      it.style.top = (state.isFlame ? rows - 1 - box.depth : box.depth) * ROW + "px";
      it.style.backgroundColor = color;
      if (box.width < 14) it.classList.add("narrow");
      else it.textContent = name;
      if (box.isAround) it.classList.add("faded");
      if (box.rest || tree.label[box.node] === REST) it.classList.add("rest");
      it.box = box;
      if (!box.rest) drawn.set(box.node, it);
    }
    graph.appendChild(all);
    buttons.back.disabled = buttons.reset.disabled = state.zoomed === 0;
    buttons.turn.textContent = state.isFlame ? "icicle" : "flame";
    mark();
    if (state.chosen !== null) choose(state.chosen);
  }
  const restName = (count) => `[${digits.format(count)} frames too narrow to draw]`;

  function tell(box) {
    if (!box) return void (details.textContent = "");
    const all = tree.total[0];
    if (box.rest) {
      details.textContent = `${restName(box.rest)} · ${show(box.weight)}, ${percent(box.weight, all)} of all · zoom in to see them`;
      return;
    }
    const [name, module, kind] = labelOf(tree.label[box.node]);
    const total = tree.total[box.node], own = tree.own[box.node];
    const where = [module, kind].filter((word) => word !== "").join(", ");
    const shown = state.zoomed === 0 ? "" : `, ${percent(total, tree.total[state.zoomed])} of what is shown`;
    details.textContent = `${name} · ${where} · ${show(total)}, ${percent(total, all)} of all${shown} · self ${show(own)}, ${percent(own, all)}`;
  }

  function zoom(node) {
    if (node === state.zoomed) return;
    before.push(state.zoomed);
    state.zoomed = node;
    draw();
    list();
  }
  function back() {
    state.zoomed = before.length > 0 ? before.pop() : 0;
    draw();
    list();
  }
  function reset() {
    before = [];
    state.zoomed = 0;
    draw();
    list();
  }
  function turn() {
    state.isFlame = !state.isFlame;
    draw();
  }

  // --- search ----------------------------------------------------------------------------------------

  function find(text) {
    try {
      state.search = text === "" ? null : new RegExp(text, "i");
    } catch {
      state.search = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
    }
    mark();
    list();
  }

  // A stack counts once, however many of its frames match: below a match nothing is looked at.
  function mark() {
    const isHit = (node) => state.search !== null && tree.label[node] !== REST && state.search.test(labelOf(tree.label[node])[0]);
    for (const [node, it] of drawn) it.classList.toggle("hit", isHit(node));
    if (state.search === null) return void (matched.textContent = "");
    let sum = 0;
    const walk = [state.zoomed];
    while (walk.length > 0) {
      const node = walk.pop();
      if (isHit(node)) sum += tree.total[node];
      else for (const child of tree.children[node]) walk.push(child);
    }
    matched.textContent = `matched ${percent(sum, tree.total[state.zoomed])}`;
  }

  // --- the table -------------------------------------------------------------------------------------

  function rows() {
    const own = new Map(), total = new Map(), depth = new Map();
    const walk = [state.zoomed];
    while (walk.length > 0) {
      const node = walk.pop();
      if (node < 0) {
        const left = tree.label[~node];
        depth.set(left, depth.get(left) - 1);
        continue;
      }
      const label = tree.label[node], around = depth.get(label) || 0;
      own.set(label, (own.get(label) || 0) + tree.own[node]);
      if (around === 0) total.set(label, (total.get(label) || 0) + tree.total[node]);
      depth.set(label, around + 1);
      walk.push(~node);
      for (const child of tree.children[node]) walk.push(child);
    }
    const all = [];
    for (const [label, sum] of total) {
      const [name, module, kind] = labelOf(label);
      if (kind === "owner" || (state.search !== null && !state.search.test(name))) continue;
      all.push({ name, module, own: own.get(label), total: sum });
    }
    const order = { own: (a, b) => b.own - a.own || b.total - a.total, total: (a, b) => b.total - a.total || b.own - a.own,
      name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) };
    return all.sort(order[state.sort]);
  }

  function list() {
    table.textContent = "";
    const whole = tree.total[state.zoomed], all = rows();
    const head = add(add(table, "thead", {}), "tr", {});
    for (const [sort, text] of [["own", "self"], ["own", "self %"], ["total", "total"], ["total", "total %"], ["name", `function (${digits.format(all.length)})`]]) {
      const cell = add(head, "th", {}, text + (state.sort === sort ? " ▾" : ""));
      cell.dataset.sort = sort;
      cell.addEventListener("click", () => {
        state.sort = sort;
        list();
      });
    }
    const rest = document.createElement("tbody");
    for (const row of all.slice(0, MOST_ROWS)) {
      const line = add(rest, "tr", {});
      for (const text of [show(row.own), percent(row.own, whole), show(row.total), percent(row.total, whole)]) add(line, "td", {}, text);
      add(line, "td", { title: row.module }, row.name);
      line.addEventListener("click", () => {
        input.value = "^" + row.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "$";
        find(input.value);
      });
    }
    if (all.length > MOST_ROWS) add(add(rest, "tr", {}), "td", { colSpan: 5 }, `${digits.format(all.length - MOST_ROWS)} more: search to see them`);
    table.appendChild(rest);
  }

  // --- mouse and keys --------------------------------------------------------------------------------

  function choose(node) {
    if (node === null || node === undefined) return;
    const old = drawn.get(state.chosen), it = drawn.get(node);
    if (old) old.classList.remove("chosen");
    if (!it) return;
    state.chosen = node;
    it.classList.add("chosen");
    tell(it.box);
  }
  function move(key) {
    const at = state.chosen;
    if (at === null || !drawn.has(at)) return choose(state.zoomed);
    const inwards = state.isFlame ? "ArrowUp" : "ArrowDown", outwards = state.isFlame ? "ArrowDown" : "ArrowUp";
    const beside = at === 0 ? [0] : tree.children[tree.parent[at]];
    if (key === inwards) choose(tree.children[at][0]);
    else if (key === outwards) choose(at === 0 ? null : tree.parent[at]);
    else choose(beside[beside.indexOf(at) + (key === "ArrowRight" ? 1 : -1)]);
  }
  graph.addEventListener("click", (event) => {
    const box = event.target.box;
    if (box && !box.rest) zoom(box.node);
  });
  graph.addEventListener("mouseover", (event) => tell(event.target.box));
  graph.addEventListener("mouseleave", () => tell(drawn.has(state.chosen) ? drawn.get(state.chosen).box : null));
  buttons.back.addEventListener("click", back);
  buttons.reset.addEventListener("click", reset);
  buttons.turn.addEventListener("click", turn);
  input.addEventListener("input", () => find(input.value));
  ofType.addEventListener("change", () => {
    state.type = Number(ofType.value);
    rebuild();
  });
  ofGroup.addEventListener("change", () => {
    state.grouping = ofGroup.value;
    rebuild();
  });
  window.addEventListener("resize", draw);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (state.search !== null || input.value !== "") {
        input.value = "";
        find("");
      } else {
        reset();
      }
      input.blur();
      return;
    }
    if (["INPUT", "SELECT"].includes(document.activeElement.tagName)) return;
    if (event.key === "/") input.focus();
    else if (event.key.startsWith("Arrow")) move(event.key);
    else if (event.key === "Enter" && state.chosen !== null) zoom(state.chosen);
    else if (event.key === "Backspace") back();
    else if (event.key === "f") turn();
    else return;
    event.preventDefault();
  });

  rebuild();
})();
