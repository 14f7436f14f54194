"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const find = (id) => document.getElementById(id);
  const edges = JSON.parse(find("edges").textContent).map(([id, source, target, kind, broken]) =>
    ({ id, source, target, fallback: kind !== "leads", kind, broken }));
  const nodes = new Map(all(".node").map((node) => [node.dataset.id, node]));
  const jumps = new Map(all(".jump").map((jump) => [jump.dataset.edge, jump]));
  const out = new Map(), into = new Map();
  for (const edge of edges) {
    for (const [map, key] of [[out, edge.source], [into, edge.target]]) {
      if (!map.has(key)) map.set(key, []);
      map.get(key).push(edge);
    }
  }
  const sections = all("main section");
  const rows = all(".row").map((row) => ({
    row, broken: row.querySelector(".error, .warning, .jump.broken") !== null,
    text: row.textContent.toLowerCase(), section: row.closest("section"),
  }));
  const headings = new Map(sections.map((section) => [section, section.querySelector("h2").textContent.toLowerCase()]));
  const ends = all(".ends .node").map((node) => ({
    text: `${node.textContent} ${findingsOf(node)?.textContent || ""}`.toLowerCase(), section: node.closest("section"),
    broken: node.matches(".error, .warning"),
  }));
  const main = find("graph"), lines = find("lines"), search = find("search"), panel = find("panel");
  let selected = null;
  let lit = { nodes: new Set(), edges: new Set() };

  const label = (id) => nodes.get(id).querySelector(".label").textContent;
  function findingsOf(node) {
    const next = node.nextElementSibling;
    return next?.matches(".findings") ? next : null;
  }
  const isShown = (element) => element.offsetParent !== null;

  // Which nodes and edges a request may pass on its way through a node, and what is asked when it fails.
  function pathsOf(start) {
    const found = { nodes: new Set([start]), edges: new Set() };
    const walk = (from, map, end, wanted) => {
      const queue = [from], seen = new Set(queue);
      while (queue.length) {
        for (const edge of map.get(queue.pop()) || []) {
          if (!wanted(edge)) continue;
          found.edges.add(edge.id);
          found.nodes.add(edge[end]);
          if (!seen.has(edge[end])) { seen.add(edge[end]); queue.push(edge[end]); }
        }
      }
    };
    walk(start, out, "target", (edge) => !edge.broken || !edge.fallback);
    walk(start, into, "source", (edge) => !edge.fallback);
    for (const edge of [...(into.get(start) || []), ...(out.get(start) || [])]) {
      found.edges.add(edge.id);
      found.nodes.add(edge.source).add(edge.target);
    }
    return found;
  }

  function draw() {
    if (getComputedStyle(lines).display === "none") return lines.replaceChildren();
    const frame = main.getBoundingClientRect();
    const showFallbacks = find("fallback-lines").checked;
    const paths = [];
    const first = -frame.top - 300, last = first + window.innerHeight + 600;
    for (const edge of edges) {
      const on = lit.edges.has(edge.id);
      if (edge.fallback && !showFallbacks && !on) continue;
      const source = edge.fallback ? jumps.get(edge.id) : nodes.get(edge.source);
      const target = nodes.get(edge.target);
      if (!isShown(source) || !isShown(target)) continue;
      const a = source.getBoundingClientRect(), b = target.getBoundingClientRect();
      const left = -frame.left, top = -frame.top;
      const y1 = a.top + a.height / 2 + top, y2 = b.top + Math.min(b.height / 2, 22) + top;
      if (Math.max(y1, y2) < first || Math.min(y1, y2) > last) continue;
      let d;
      if (edge.fallback) {
        const x1 = source.closest("ol").getBoundingClientRect().left + left, x2 = b.left + left;
        const bend = Math.max(4, Math.min(x1, x2) - Math.min(26 + Math.abs(y2 - y1) / 14, 120));
        d = `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`;
      } else {
        const x1 = a.right + left, x2 = b.left + left, bend = (x1 + x2) / 2;
        d = `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`;
      }
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", d);
      path.setAttribute("class", `${edge.fallback ? "fallback" : "leads"}${edge.broken ? " broken" : ""}${on ? " on" : ""}`);
      path.dataset.edge = edge.id;
      paths.push(path);
    }
    lines.replaceChildren(...paths);
    lines.setAttribute("width", main.scrollWidth);
    lines.setAttribute("height", main.scrollHeight);
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const onlyBroken = find("only-broken").checked;
    const isFiltered = words.length > 0 || onlyBroken;
    const has = (text) => words.every((word) => text.includes(word));
    const kept = new Set();
    let shown = 0, shownEnds = 0;
    for (const { row, text, broken, section } of rows) {
      row.hidden = !(has(`${text} ${headings.get(section)}`) && (!onlyBroken || broken));
      if (row.hidden) continue;
      kept.add(section);
      shown += 1;
    }
    for (const { text, broken, section } of ends) {
      if (!has(text) || onlyBroken && !broken) continue;
      kept.add(section);
      shownEnds += 1;
    }
    for (const section of sections) {
      section.hidden = isFiltered && !kept.has(section);
      const fold = section.querySelector(".fold");
      if (!fold) continue;
      section.querySelector(".rows").hidden = fold.getAttribute("aria-expanded") === "false" && !isFiltered;
    }
    const many = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
    const found = [`${shown} of ${many(rows.length, "row")}`];
    if (shownEnds) found.push(many(shownEnds, "provider or port").replace("provider or ports", "providers or ports"));
    find("count").textContent = isFiltered ? found.join(", ") : "";
    const nothing = find("nothing");
    nothing.hidden = kept.size > 0 || !isFiltered;
    nothing.textContent = nothing.hidden ? "" : words.length
      ? `Nothing${onlyBroken ? " with findings" : ""} matches “${search.value.trim()}”. Esc in the search clears it.`
      : "Nothing in the picture has findings.";
    draw();
  }

  function element(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  function listOf(heading, tag, entries) {
    if (!entries.length) return [];
    const list = document.createElement(tag);
    list.replaceChildren(...entries.map(({ to, text }) => {
      const item = element("li", ""), button = element("button", text);
      button.type = "button";
      button.dataset.to = to;
      item.append(button);
      return item;
    }));
    return [element("h3", heading), list];
  }

  function describe(id) {
    const node = nodes.get(id);
    const findings = findingsOf(node)?.cloneNode(true);
    findings?.removeAttribute("id");
    const ways = (map, end, wanted) => (map.get(id) || []).filter(wanted).map((edge) => ({
      to: edge[end],
      text: `${label(edge[end])}${edge.kind === "leads" || edge.kind === "fallback" ? "" : ` (${edge.kind})`}${edge.broken ? " (never)" : ""}`,
    }));
    find("told").replaceChildren(
      element("h2", label(id)),
      element("p", `${{ group: "model group", name: "other name" }[node.dataset.kind] || node.dataset.kind}: ${node.querySelector(".detail")?.textContent || ""}`),
      ...(findings ? [element("h3", "Findings"), findings] : [element("p", "No findings.")]),
      ...listOf("Leads to", "ul", ways(out, "target", (edge) => !edge.fallback)),
      ...listOf("When it fails, in this order", "ol", ways(out, "target", (edge) => edge.fallback)),
      ...listOf("Asked through", "ul", ways(into, "source", (edge) => !edge.fallback)),
      ...listOf("Asked when one of these fails", "ul", ways(into, "source", (edge) => edge.fallback)),
    );
  }

  function select(id) {
    const place = id && nodes.get(id).getBoundingClientRect().top;
    // Who closes the panel from within goes back to what it was about.
    if (id === null && selected && panel.contains(document.activeElement)) nodes.get(selected).focus();
    selected = id;
    lit = id ? pathsOf(id) : { nodes: new Set(), edges: new Set() };
    document.body.classList.toggle("focus", id !== null);
    for (const [key, node] of nodes) {
      node.classList.toggle("on", lit.nodes.has(key));
      node.setAttribute("aria-pressed", String(key === id));
    }
    for (const [key, jump] of jumps) jump.classList.toggle("on", lit.edges.has(key));
    panel.hidden = id === null;
    if (id) {
      describe(id);
      // The panel takes room, and what was chosen would move away.
      scrollBy(0, nodes.get(id).getBoundingClientRect().top - place);
    }
    draw();
  }

  function reveal(id) {
    const node = nodes.get(id), section = node.closest("section");
    if (!isShown(node)) {
      search.value = "";
      find("only-broken").checked = false;
      section?.querySelector(".fold")?.setAttribute("aria-expanded", "true");
      filter();
    }
    select(id);
    node.scrollIntoView({ block: "center", inline: "nearest" });
    node.focus();
  }

  function foldAll(folded) {
    for (const fold of all(".fold")) fold.setAttribute("aria-expanded", String(!folded));
    filter();
  }

  // Arrow keys: up and down within a column, left and right along the lines.
  function move(node, key) {
    if (key === "ArrowUp" || key === "ArrowDown") {
      const column = all(`.node[data-kind="${node.dataset.kind}"]`).filter(isShown);
      column[column.indexOf(node) + (key === "ArrowUp" ? -1 : 1)]?.focus();
      return;
    }
    const [map, end] = key === "ArrowRight" ? [out, "target"] : [into, "source"];
    const next = (map.get(node.dataset.id) || []).filter((edge) => !edge.fallback).map((edge) => nodes.get(edge[end]));
    next.find(isShown)?.focus();
  }

  document.addEventListener("click", (event) => {
    const node = event.target.closest(".node"), jump = event.target.closest("[data-to]"), fold = event.target.closest(".fold");
    if (node) select(node.dataset.id === selected ? null : node.dataset.id);
    if (jump) reveal(jump.dataset.to);
    if (fold) {
      fold.setAttribute("aria-expanded", String(fold.getAttribute("aria-expanded") === "false"));
      filter();
    }
  });
  document.addEventListener("keydown", (event) => {
    const node = event.target.closest?.(".node");
    if (event.key === "Escape") {
      if (event.target === search && search.value) { search.value = ""; filter(); } else select(null);
    } else if (event.key === "/" && event.target !== search && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (node && event.key.startsWith("Arrow")) {
      event.preventDefault();
      move(node, event.key);
    }
  });
  search.addEventListener("input", filter);
  find("only-broken").addEventListener("change", filter);
  find("fallback-lines").addEventListener("change", draw);
  find("fold-all").addEventListener("click", () => foldAll(true));
  find("unfold-all").addEventListener("click", () => foldAll(false));
  find("close").addEventListener("click", () => select(null));
  // The providers stay in sight while the page moves, and only lines in sight are drawn.
  let isDue = false;
  const redraw = () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      const header = document.querySelector("header");
      const top = getComputedStyle(header).position === "sticky" ? header.offsetHeight : 0;
      document.documentElement.style.setProperty("--top", `${top}px`);
      draw();
    });
  };
  addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(redraw).observe(main);
  document.body.classList.add("ready");
  filter();
})();
