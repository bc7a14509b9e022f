/* SPDX-License-Identifier: MIT
 * chart: one chart of dygraphs with what it does not have: keys that show values and hide series,
 * the keyboard, a table beside it, the colours of the page, and a group of charts that have their
 * part of the time and their moment in common.
 */
const chart = (() => {
	const { element } = table;
	const HELP = "Left and right arrow: move along the values. Plus and minus: zoom. Shift and arrow: " +
		"move the part that is shown. Escape: show all.";
	const all = [];
	let number = 0;

	/* Legends are keys of ours; the library's would set styles as markup, which the page forbids. */
	Dygraph.PLUGINS = Dygraph.PLUGINS.filter(p => p !== Dygraph.Plugins.Legend);

	/* What a custom property of the style sheet stands for at the moment, as canvas needs it. */
	const probe = element("span", { hidden: "" });
	document.body.append(probe);
	function colour(name) {
		probe.style.color = `var(--${name})`;
		return getComputedStyle(probe).color;
	}

	/* Where a logarithmic axis has its lines: at powers of ten, and between them as there is room;
	 * where less than that is shown, as on any axis. */
	function log_ticks(text) {
		return (from, to, pixels, options, graph) => {
			const room = pixels / 24;
			for (const steps of [[1, 2, 5], [1, 3], [1]]) {
				const values = [];
				for (let power = 10 ** Math.floor(Math.log10(from)); power <= to; power *= 10)
					values.push(...steps.map(s => s * power).filter(v => v >= from && v <= to));
				if (values.length < 2)
					break;
				if (values.length <= room || steps.length === 1)
					return values.map(v => ({ v, label: text(v) }));
			}
			return Dygraph.numericTicks(from, to, pixels, options, graph);
		};
	}

	class Group {
		constructor() {
			this.charts = [];
		}

		/* The part of x that is shown; null: all. */
		show(window, but = null) {
			for (const c of this.charts) {
				if (c !== but)
					c.graph.updateOptions({ dateWindow: window ?? c.extent(), valueRange: c.spec.range ?? null });
				c.zoomed(window !== null);
			}
		}

		/* The row whose values are shown; -1: none. */
		point(row, but = null) {
			for (const c of this.charts) {
				c.row = row;
				c.values(row);
				if (c === but)
					continue;
				if (row < 0)
					c.graph.clearSelection();
				else
					c.graph.setSelection(row);
			}
		}
	}

	class Chart {
		/* spec: id, title, hint; x: values of x; series: [{ name, values, colour, hidden }];
		 * y, x_text: formats; log, log_x, stacked, step, fill; shades, image; range; ticks */
		constructor(spec, group) {
			this.spec = spec;
			this.group = group;
			this.row = -1;
			this.build();
			group.charts.push(this);
			all.push(this);
		}

		build() {
			const { spec } = this;
			const id = `c${number++}`;
			this.keys = spec.series.map((s, i) => this.key(s, i));
			this.at = element("output", { class: "at", "aria-live": "off" });
			this.reset = element("button", { type: "button", class: "reset", hidden: "" }, "Show all");
			this.reset.addEventListener("click", () => this.group.show(null));
			this.plot = element("div", { class: "plot", tabindex: "0", role: "application",
				"aria-labelledby": id, "aria-describedby": `${id}h`, "aria-roledescription": "chart" });
			this.said = element("p", { class: "unseen", "aria-live": "polite" });
			this.figure = element("figure", { class: "chart", id: `chart-${spec.id}` },
				element("figcaption", {}, element("h3", { id }, spec.title),
					element("span", { class: "hint" }, spec.hint), this.at, this.reset),
				element("div", { class: "keys", role: "group", "aria-label": `Series of ${spec.title}` }, ...this.keys),
				this.plot, this.said, element("p", { class: "unseen", id: `${id}h` }, HELP),
				table.folded("Values as a table", () => this.table()));
			this.plot.addEventListener("keydown", event => this.keyboard(event));
			this.plot.addEventListener("blur", () => this.group.point(-1));
		}

		/* Shows the series, its value, and hides it. */
		key(series, i) {
			const mark = element("span", { class: "mark" });
			mark.style.background = `var(--${series.colour})`;
			const button = element("button", { type: "button", "aria-pressed": String(!series.hidden) },
				mark, element("span", { class: "name" }, series.name), element("span", { class: "value" }));
			button.addEventListener("click", () => {
				const shown = button.getAttribute("aria-pressed") !== "true";
				button.setAttribute("aria-pressed", String(shown));
				this.graph.setVisibility(i, shown);
			});
			return button;
		}

		extent() {
			const { x } = this.spec;
			return [x[0], x[x.length - 1]];
		}

		rows() {
			const { x, series } = this.spec;
			return x.map((value, i) => [value, ...series.map(s => s.values[i] ?? null)]);
		}

		/* Once it stands in the page. */
		draw() {
			const { spec } = this;
			this.graph = new Dygraph(this.plot, this.rows(), {
				labels: ["x", ...spec.series.map((s, i) => `${i}`)],
				visibility: spec.series.map(s => !s.hidden),
				dateWindow: this.extent(),
				valueRange: spec.range ?? null,
				logscale: Boolean(spec.log),
				stackedGraph: Boolean(spec.stacked),
				fillGraph: Boolean(spec.stacked || spec.fill),
				fillAlpha: spec.stacked ? 0.75 : 0.22,
				stepPlot: Boolean(spec.step),
				strokeWidth: spec.stacked ? 1 : 1.6,
				highlightCircleSize: 3.5,
				showLabelsOnHighlight: false,
				includeZero: !spec.log,
				rightGap: 14,
				axes: {
					x: { logscale: Boolean(spec.log_x), drawGrid: Boolean(spec.log_x), pixelsPerLabel: 75,
						axisLabelWidth: 70, axisLabelFormatter: x => this.x_text(x),
						...(spec.ticks ? { ticker: spec.ticks } : {}) },
					y: { axisLabelWidth: 62, pixelsPerLabel: 34, axisLabelFormatter: spec.axis,
						...(spec.log ? { ticker: log_ticks(spec.axis) } : {}) },
				},
				...this.colours(),
				underlayCallback: (context, area, graph) => this.underlay(context, area, graph),
				highlightCallback: (event, x, points, row) => this.group.point(row, this),
				unhighlightCallback: () => this.group.point(-1, this),
				zoomCallback: (from, to) => this.zoom([from, to]),
			});
			this.plot.chart = this;
		}

		colours() {
			return {
				colors: this.spec.series.map(s => colour(s.colour)),
				gridLineColor: colour("grid"),
				axisLineColor: colour("axis"),
			};
		}

		x_text(x) {
			const [from, to] = this.graph ? this.graph.xAxisRange() : this.extent();
			return this.spec.x_text(x, to - from);
		}

		zoom([from, to]) {
			const [least, most] = this.extent();
			this.group.show(from <= least && to >= most ? null : [from, to], this);
		}

		zoomed(is) {
			this.reset.hidden = !is;
		}

		underlay(context, area, graph) {
			context.save();
			context.beginPath();
			context.rect(area.x, area.y, area.w, area.h);
			context.clip();
			for (const s of this.spec.shades ?? [])
				this.shade(context, area, graph, s);
			if (this.spec.image)
				this.image(context, graph, this.spec.image);
			context.restore();
		}

		shade(context, area, graph, { from, to, kind, label }) {
			const left = Math.max(graph.toDomXCoord(from), area.x);
			const right = Math.min(graph.toDomXCoord(to), area.x + area.w);
			if (!(right > left))
				return;
			context.fillStyle = colour(kind);
			context.fillRect(left, area.y, Math.max(right - left, 1), area.h);
			context.font = "11px system-ui, sans-serif";
			context.fillStyle = colour(`${kind}-text`);
			if (context.measureText(label).width < right - left - 6)
				context.fillText(label, left + 4, area.y + 12);
		}

		image(context, graph, { picture, x, y }) {
			const left = graph.toDomXCoord(x[0]), top = graph.toDomYCoord(y[1]);
			context.imageSmoothingEnabled = false;
			/* gnuplot leaves the first row and the last column free */
			context.drawImage(picture, 0, 1, picture.width - 1, picture.height - 1, left, top,
				graph.toDomXCoord(x[1]) - left, graph.toDomYCoord(y[0]) - top);
		}

		/* ---- values ---- */

		value(series, row) {
			const n = series.values[row];
			return n === null || n === undefined ? format.NONE : this.spec.y(n);
		}

		values(row) {
			this.at.textContent = row < 0 ? "" : this.spec.x_text(this.spec.x[row], 0);
			this.spec.series.forEach((s, i) => {
				this.keys[i].querySelector(".value").textContent = row < 0 ? "" : this.value(s, row);
			});
		}

		/* For those who hear it. */
		say(row) {
			const { x, series, x_text } = this.spec;
			const shown = series.filter((s, i) => this.keys[i].getAttribute("aria-pressed") === "true");
			this.said.textContent = `${x_text(x[row], 0)}: ` +
				shown.map(s => `${s.name} ${this.value(s, row)}`).join(", ");
		}

		table() {
			const { spec } = this;
			const head = [`#${spec.x_name ?? "time"}`, ...spec.series.map(s => `#${s.name}`)];
			const rows = spec.x.map((x, row) =>
				[spec.x_text(x, 0), ...spec.series.map(s => this.value(s, row))]);
			return table.scrolling(table.make(`${spec.title}, values`, head, rows));
		}

		/* ---- keyboard ---- */

		/* The part that is shown, @scale times as long, and moved by @shift of its length. x of a
		 * logarithmic scale is taken by its logarithm. */
		move(scale, shift) {
			const to = this.spec.log_x ? Math.log : x => x, back = this.spec.log_x ? Math.exp : x => x;
			const [least, most] = this.extent().map(to), [from, until] = this.graph.xAxisRange().map(to);
			const length = Math.min((until - from) * scale, most - least);
			const middle = (from + until) / 2 + shift * (until - from);
			const left = Math.min(Math.max(middle - length / 2, least), most - length);
			if (length >= (most - least) * 0.999)
				this.group.show(null);
			else
				this.group.show([back(left), back(left + length)]);
		}

		/* To the next row that is shown. */
		step(by) {
			const { x } = this.spec, [from, to] = this.graph.xAxisRange();
			const first = x.findIndex(v => v >= from), last = x.findLastIndex(v => v <= to);
			const row = this.row < 0 ? (by > 0 ? first : last) : this.row + by;
			const kept = Math.min(Math.max(row, first), last);
			if (kept < 0)
				return;
			this.group.point(kept);
			this.say(kept);
		}

		keyboard(event) {
			const shift = event.shiftKey;
			const acts = {
				ArrowLeft: () => shift ? this.move(1, -0.25) : this.step(-1),
				ArrowRight: () => shift ? this.move(1, 0.25) : this.step(1),
				Home: () => this.step(-this.spec.x.length),
				End: () => this.step(this.spec.x.length),
				"+": () => this.move(0.5, 0),
				"=": () => this.move(0.5, 0),
				"-": () => this.move(2, 0),
				Escape: () => this.group.show(null),
				0: () => this.group.show(null),
			};
			const act = Object.hasOwn(acts, event.key) && !event.ctrlKey && !event.metaKey && acts[event.key];
			if (!act)
				return;
			act();
			event.preventDefault();
		}

		recolour() {
			this.graph.updateOptions(this.colours());
		}
	}

	return { Group, Chart, all, recolour: () => all.forEach(c => c.recolour()) };
})();
