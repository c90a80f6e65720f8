// Draws each table of `figure.chart` that says `data-chart`: its first column is the month, columns that are marked
// `data-line` are lines. All that is drawn stands in the table; without script the table is all there is.
"use strict";

(() => {
  const colours = ["#0b4a8f", "#9a4a00", "#17632f"];
  const dashes = [[], [6, 4], [2, 3]];
  const number = (cell) => {
    const text = cell.textContent.replaceAll(",", "").trim();
    return text === "" || text === "—" ? null : Number(text);
  };
  const seconds = (month) => Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5, 7)) - 1, 1) / 1000;
  const month = (value) => new Date(value * 1000).toISOString().slice(0, 7);

  for (const figure of document.querySelectorAll("figure.chart")) {
    const table = document.getElementById(figure.dataset.chart);
    const heads = [...table.querySelectorAll("thead th")];
    const rows = [...table.querySelectorAll("tbody tr")];
    const lines = heads.map((head, at) => [head, at]).filter(([head]) => head.dataset.line !== undefined);
    if (rows.length < 2 || lines.length === 0) {
      figure.hidden = true;
      continue;
    }
    const data = [rows.map((row) => seconds(row.cells[0].textContent.trim()))];
    for (const [, at] of lines) data.push(rows.map((row) => number(row.cells[at])));
    const series = [{ label: heads[0].textContent }];
    lines.forEach(([head], at) =>
      series.push({
        label: head.textContent,
        stroke: colours[at % colours.length],
        dash: dashes[at % dashes.length],
        width: 2,
        points: { size: 5 },
      }));
    const width = () => Math.max(figure.clientWidth, 300);
    const plot = new uPlot(
      {
        width: width(),
        height: 220,
        tzDate: (value) => uPlot.tzDate(new Date(value * 1000), "Etc/UTC"),
        // The figures stand in the table: the legend names the lines.
        legend: { live: false },
        series,
        axes: [
          // A mark stands at a month of the table, or at each n-th where they are many.
          { splits: () => data[0].filter((_, at) => at % Math.ceil(data[0].length / 12) === 0), values: (_, marks) => marks.map(month) },
          { size: 110, values: (_, marks) => marks.map((mark) => mark.toLocaleString("en")) },
        ],
      },
      data,
      figure,
    );
    addEventListener("resize", () => plot.setSize({ width: width(), height: 220 }));
  }
})();
