(() => {
  const d = document, b = d.body, p = d.getElementById("pause"), u = b.dataset.live;
  let s, off, w;
  const end = () => { s && s.close(); s = 0; clearTimeout(w) };
  const go = () => {
    end();
    if (off || d.hidden) return;
    s = new EventSource(u + "&seen=" + b.dataset.seen);
    s.onmessage = e => {
      const m = JSON.parse(e.data), t = d.getElementById("calls");
      if (m.reload) return location.reload();
      for (const i in m.set) { const n = d.getElementById(i); if (n) n.innerHTML = m.set[i] }
      if ("turn" in m) d.getElementById("needle")?.setAttribute("transform", `rotate(${m.turn})`);
      if (m.rows && t) {
        if (m.cut) t.textContent = "";
        t.insertAdjacentHTML("afterbegin", m.rows);
        while (t.rows.length > 10) t.lastElementChild.remove();
      }
      if (e.lastEventId) b.dataset.seen = e.lastEventId;
    };
    s.onerror = () => { if (s.readyState > 1) w = setTimeout(go, 5e3) };
  };
  if (p) {
    p.hidden = false;
    p.onclick = () => { off = !off; p.setAttribute("aria-pressed", off); go() };
  }
  d.addEventListener("visibilitychange", go);
  addEventListener("pagehide", end);
  go();
})()
