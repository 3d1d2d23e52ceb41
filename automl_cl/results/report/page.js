"use strict";
(() => {
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const drawn = Object.keys(figures).map((name) => document.getElementById("plot-" + name));
  const mouse = matchMedia("(pointer: fine)").matches;

  // Figures come without colours of text and grid: those are the page's.
  const colours = () => {
    const style = getComputedStyle(root);
    const of = (name) => style.getPropertyValue(name).trim();
    const change = {
      "font.color": of("--ink"), "font.family": getComputedStyle(document.body).fontFamily,
      "font.size": 13, "hoverlabel.bgcolor": of("--panel"), "hoverlabel.bordercolor": of("--line"),
      "hoverlabel.font.color": of("--ink"), "hoverlabel.align": "left",
    };
    for (const axis of ["xaxis", "yaxis"]) {
      change[axis + ".title.font.size"] = 13;
      change[axis + ".gridcolor"] = of("--grid");
      change[axis + ".linecolor"] = of("--line");
      change[axis + ".tickcolor"] = of("--line");
    }
    return change;
  };

  const nested = (layout, change) => {
    for (const [path, value] of Object.entries(change)) {
      const steps = path.split("."), last = steps.pop();
      let at = layout;
      for (const step of steps) at = at[step] = at[step] || {};
      at[last] = value;
    }
    return layout;
  };

  for (const [name, figure] of Object.entries(figures)) {
    const layout = nested(figure.layout, colours());
    if (name === "learning" && mouse) layout.dragmode = "zoom";
    Plotly.newPlot("plot-" + name, figure.data, layout, { displayModeBar: false, responsive: true });
  }

  const restyle = (more) => {
    for (const plot of drawn) Plotly.relayout(plot, { ...colours(), ...more });
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => restyle({}));

  for (const button of document.querySelectorAll("button[data-arm]")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      for (const plot of drawn) {
        const mine = plot.data.flatMap((trace, i) => (trace.meta === button.dataset.arm ? [i] : []));
        if (mine.length) Plotly.restyle(plot, { visible: shown }, mine);
      }
    });
  }

  // Paper is light and narrow.
  addEventListener("beforeprint", () => {
    root.classList.add("print");
    restyle({ width: 680 });
  });
  addEventListener("afterprint", () => {
    root.classList.remove("print");
    restyle({ width: null, autosize: true });
  });
})();
