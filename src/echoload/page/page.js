/* SPDX-License-Identifier: MIT
 * page: what stands on the page, from top to bottom: numbers, charts, tables, context.
 */
(() => {
	const { element } = table;
	const { runs, number, object, objects, list, text } = model;
	const several = runs.length > 1;
	const RUN_COLOURS = ["blue", "amber", "green", "purple", "red", "teal", "pink", "brown", "grey"];
	const CAUSE_COLOURS = {
		finished: "grey", eof: "teal", eof_early: "blue", reset: "red", refused: "amber",
		timeout_connect: "purple", timeout_answer: "pink", timeout_tcp: "brown",
	};
	const OTHER_COLOURS = ["green", "purple", "pink", "brown", "teal", "blue"];
	const LATENCIES = [["latency_ns", "all"], ["latency_uncorrected_ns", "uncorrected"],
		["latency_outside_outage_ns", "outside outages"]];
	const PERCENTILES = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99_9", "p99.9"],
		["p99_99", "p99.99"], ["max", "max"]];

	function colour_of(i) {
		return RUN_COLOURS[i % RUN_COLOURS.length];
	}

	/* ---- numbers ---- */

	function sum(values) {
		return values.reduce((total, n) => total + (n ?? 0), 0);
	}

	/* Nanoseconds of the longest outage; 0: none. */
	function longest_outage(r) {
		return Math.max(0, ...r.outages.map(o => o.until_ns - o.begin_ns));
	}

	/* Behind a number: how many of them the result had no room for. */
	function not_listed(n) {
		return n > 0 ? `, ${format.count(n)} of them not listed` : "";
	}

	/* Messages a second; of a run that has not ended what its intervals say. */
	function rate_of(r) {
		const all = number(r.result, "messages", "per_second");
		return all ?? (r.end_ns > 0 && r.begin.length ? sum(r.echoed) * 1e9 / r.end_ns : null);
	}

	function lost_of(r) {
		return number(r.result, "messages", "lost") ?? (r.begin.length ? sum(r.lost) : null);
	}

	/* The four that matter: name, value, how it is written, what stands below it. */
	function numbers(r) {
		const { result } = r;
		const sent = number(result, "messages", "sent"), asked = number(result, "messages", "planned_per_second");
		const safe = number(result, "messages", "lost_unsent");
		const worst = longest_outage(r), noticed = r.outages.find(o => o.until_ns - o.begin_ns === worst);
		const late = noticed && noticed.noticed_ns !== null ? noticed.noticed_ns - noticed.begin_ns : null;
		return [
			["Rate", rate_of(r), format.rate,
				asked ? `${format.rate(asked)} were asked for` : "as fast as echoes came back"],
			["p99 latency", number(result, "latency_ns", "p99"), format.time,
				`median ${format.time(number(result, "latency_ns", "p50"))}, ` +
				`longest ${format.time(number(result, "latency_ns", "max"))}`],
			["Messages lost", lost_of(r), format.count,
				`of ${format.count(sent)} sent` + (safe ? `; ${format.count(safe)} are safe to repeat` : "")],
			["Longest outage", worst, n => n ? format.time(n) : "none",
				worst ? `noticed after ${format.time(late)}; ` +
					`${format.count(r.outages.length + r.outages_unlisted)} in all${not_listed(r.outages_unlisted)}` : "service all the time"],
		];
	}

	function cards(r) {
		const box = element("dl", { class: "cards" });
		for (const [name, value, write, below] of numbers(r))
			box.append(element("div", {}, element("dt", {}, name), element("dd", { class: "big" }, write(value)),
				element("dd", { class: "below" }, below)));
		return box;
	}

	/* Where a run comes from, in two lines. */
	function origin(r) {
		const context = object(r.result.context), argv = list(context.argv).map(text);
		const threads = number(context, "threads");
		const facts = [format.instant(number(context, "start_unix_ns")),
			text(context.backend), threads ? `${threads} thread${threads > 1 ? "s" : ""}` : "",
			text(context.kernel), text(context.cpu)].filter(Boolean);
		return element("div", { class: "origin" }, ...(argv.length ? [element("code", {}, argv.join(" "))] : []),
			...(facts.length ? [element("p", { class: "hint" }, facts.join(" · "))] : []));
	}

	/* The runs side by side, each with its ratio to the first. */
	function comparison() {
		const base = numbers(runs[0]);
		const head = ["run", ...base.flatMap(([name]) => [`#${name}`, "#ratio"]), "verdict"];
		const rows = runs.map(r => [r.label, ...numbers(r).flatMap(([, value, write], i) =>
			[write(value), format.ratio(value, base[i][1])]), r.verdict]);
		const percentiles = LATENCIES.map(([key, name]) => table.scrolling(table.make(`Latency, ${name}`,
			["run", ...PERCENTILES.flatMap(([, p]) => [`#${p}`, "#ratio"])],
			runs.map(r => [r.label, ...PERCENTILES.flatMap(([p]) => {
				const value = number(r.result, key, p);
				return [format.time(value), format.ratio(value, number(runs[0].result, key, p))];
			})]))));
		return table.section("Runs compared", table.scrolling(table.make("Ratios are to the first run", head, rows)),
			table.folded("Percentiles compared", () => element("div", {}, ...percentiles)));
	}

	/* ---- charts over time ---- */

	const time = new chart.Group();

	const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1440];

	/* Full minutes, where minutes are what is shown. */
	function time_ticks(from, to, pixels, options, graph) {
		if (to - from <= 180)
			return Dygraph.numericTicks(from, to, pixels, options, graph);
		const step = 60 * (MINUTES.find(m => (to - from) / (60 * m) <= pixels / 75) ?? 1440);
		const first = Math.ceil(from / step), count = Math.floor(to / step) - first + 1;
		return Array.from({ length: count }, (_, i) => (first + i) * step)
			.map(v => ({ v, label: format.moment(v, to - from) }));
	}

	/* A column of run @i on the grid of all. */
	function on_grid(i, values) {
		return model.places[i].map(place => place < 0 ? null : values[place]);
	}

	function shades() {
		return runs.flatMap(r => [
			...(r.warmup_ns > 0 ? [{ from: 0, to: r.warmup_ns / 1e9, kind: "warmup", label: "warm-up" }] : []),
			...r.outages.map(o => ({ from: o.begin_ns / 1e9, to: o.until_ns / 1e9, kind: "outage",
				label: `${several ? `${r.label}: ` : ""}outage ${format.time(o.until_ns - o.begin_ns)}` +
					(o.recovered_ns === null ? ", not over" : "") })),
			...r.pauses.map(p => ({ from: p.begin_ns / 1e9, to: p.end_ns / 1e9, kind: "pause", label: "paused" })),
		]);
	}

	function over_time(spec) {
		return new chart.Chart({ x: model.seconds, x_text: format.moment, ticks: time_ticks, step: true, shades: shades(), ...spec }, time);
	}

	/* A series of every run: its own colour, or, of one run, that of the series. */
	function each_run(name, key, colour, hidden = false) {
		return runs.map((r, i) => ({ name: several ? `${r.label} ${name}`.trim() : name || "echoes",
			values: on_grid(i, r[key]), colour: several ? colour_of(i) : colour, hidden }));
	}

	function rate_chart() {
		return over_time({ id: "rate", title: "Rate", hint: "echoes a second", y: format.rate, axis: format.short,
			fill: !several, series: each_run("", "rate", "blue") });
	}

	function latency_chart() {
		return over_time({ id: "latency", title: "Latency", hint: "of what was echoed in each interval", log: true,
			axis: format.short_time, y: format.time, series: [...each_run("p50", "p50", "green", several), ...each_run("p99", "p99", "amber"),
				...each_run("max", "max", "red", several)] });
	}

	/* Dygraphs needs a series: the median lies over the picture. */
	async function heat_chart(r, i) {
		const heat = object(r.heat), picture = new Image();
		if (!text(heat.png))
			return null;
		picture.src = `data:image/png;base64,${heat.png}`;
		await picture.decode();
		return over_time({ id: `heat-${i}`, title: several ? `Latency heat map: ${r.label}` : "Latency heat map",
			hint: "the brighter, the more messages", log: true, axis: format.short_time, y: format.time, shades: [],
			range: [heat.from_ns, heat.to_ns],
			image: { picture, times: heat.times, rows: heat.rows, x: [heat.begin_ns / 1e9, heat.end_ns / 1e9], y: [heat.from_ns, heat.to_ns] },
			series: [{ name: "p50", values: on_grid(i, r.p50), colour: "over" },
				{ name: "p99", values: on_grid(i, r.p99), colour: "over", hidden: true }] });
	}

	function cause_colour(cause, i) {
		return Object.hasOwn(CAUSE_COLOURS, cause) ? CAUSE_COLOURS[cause] : OTHER_COLOURS[i % OTHER_COLOURS.length];
	}

	function ends_chart(r, i) {
		const causes = Object.keys(r.ended);
		if (causes.length === 0)
			return null;
		/* stacked: what did not end counts as 0 */
		return over_time({ id: `ends-${i}`, title: several ? `Ends by cause: ${r.label}` : "Ends by cause",
			hint: "connections and attempts that ended in each interval", stacked: true,
			y: format.count, axis: format.short,
			series: causes.map((c, n) => ({ name: format.words(c), values: on_grid(i, r.ended[c]).map(v => v ?? 0),
				colour: cause_colour(c, n), hidden: c === "finished" && causes.length > 1 })) });
	}

	function connections_chart() {
		const asked = runs.map((r, i) => ({
			name: several ? `${r.label} asked` : "asked", colour: several ? colour_of(i) : "grey", hidden: several,
			values: on_grid(i, r.begin.map(() => number(r.result, "connections", "requested"))) }));
		return over_time({ id: "connections", title: "Connections", hint: "asked for, open, and lost in each interval",
			y: format.count, axis: format.short, series: [...(asked.some(s => s.values.some(v => v !== null)) ? asked : []),
				...each_run("open", "open", "blue"), ...each_run("lost", "errors", "red", several)] });
	}

	/* ---- percentiles ---- */

	const TICKS = [1, 2, 4, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

	/* A tick for each percentile that people speak of. */
	function percentile_ticks(from, to) {
		return TICKS.filter(v => v >= from * 0.999 && v <= to * 1.001).map(v => ({ v, label: format.percentile(v) }));
	}

	/* Distances to 100 % of a curve's values; the last one is the maximum, at the number of messages. */
	function distances(curve, count) {
		return curve.map((_, i) => i === curve.length - 1 ? Math.max(count, 1) : 1.1 ** i);
	}

	/* A value for each x up to the curve's own end: that of the last distance that is not farther. */
	function curve_at(xs, curve, own) {
		let i = 0;
		return xs.map(x => {
			while (i + 1 < own.length && own[i + 1] <= x)
				i++;
			return x <= own[own.length - 1] ? curve[i] : null;
		});
	}

	function percentile_chart() {
		const curves = [];
		runs.forEach((r, i) => LATENCIES.forEach(([key, name], n) => {
			const curve = list(r.curves[key]);
			if (curve.length === 0)
				return;
			const label = name === "all" && !several ? "corrected" : name === "all" ? r.label : several ? `${r.label} ${name}` : name;
			curves.push({ name: label, curve, own: distances(curve, number(r.result, key, "count") ?? curve.length),
				colour: several ? colour_of(i) : ["red", "blue", "green"][n], hidden: several && n > 0 });
		}));
		if (curves.length === 0)
			return null;
		const xs = [...new Set(curves.flatMap(c => c.own))].sort((a, b) => a - b);
		if (xs.length < 2)
			return null;
		return new chart.Chart({ id: "percentiles", title: "Latency by percentile",
			hint: "corrected for coordinated omission, uncorrected, and outside outages", x: xs, x_name: "percentile",
			x_text: x => format.percentile(x), log: true, log_x: true, ticks: percentile_ticks, axis: format.short_time, y: format.time,
			series: curves.map(c => ({ ...c, values: curve_at(xs, c.curve, c.own) })) }, new chart.Group());
	}

	/* ---- tables ---- */

	function outcomes(result) {
		const rows = objects(result.outcomes).map(o => [format.words(text(o.cause) || format.NONE), format.words(text(o.phase) || format.NONE), text(o.errno) || format.NONE,
			format.count(number(o, "count")), format.count(number(o, "messages_lost")),
			format.time(number(o, "first_ns")), format.time(number(o, "last_ns"))]);
		return rows.length === 0 ? [] : [table.scrolling(table.make("How connections and attempts ended",
			["cause", "phase", "errno", "#count", "#messages lost", "#first", "#last"], rows))];
	}

	function lost(result) {
		const KINDS = [["lost_unsent", "not sent", "yes"], ["lost_partial", "sent in part: that part may have been read", "no"],
			["lost_unacked", "sent: may have been processed, acknowledged or not", "no"],
			["lost_acked", "acknowledged by the peer's kernel: may have been processed", "no"]];
		if (number(result, "messages", "lost") === null)
			return [];
		return [table.scrolling(table.make("Lost messages, by what is known of them",
			["known", "#messages", "safe to repeat"],
			KINDS.map(([key, says, safe]) => [says, format.count(number(result, "messages", key)), safe])))];
	}

	function outage_rows(r) {
		const after = (o, key) => o[key] === null ? "never" : `+${format.time(o[key] - o.begin_ns)}`;
		if (r.outages.length === 0)
			return [];
		const all = r.outages.length + r.outages_unlisted;
		return [table.scrolling(table.make(`Outages${r.outages_unlisted ? `: ${format.count(all)}${not_listed(r.outages_unlisted)}` : ""}`, ["outage", "#began", "#noticed", "#first success", "#recovered", "#lost"],
			r.outages.map((o, i) => [`${i + 1}`, format.time(o.begin_ns), after(o, "noticed_ns"),
				after(o, "first_success_ns"), after(o, "recovered_ns"), format.count(o.lost)])))];
	}

	function latencies(result) {
		const keys = ["count", "min", "mean", ...PERCENTILES.map(([key]) => key)];
		const names = ["#messages", "#min", "#mean", ...PERCENTILES.map(([, name]) => `#${name}`)];
		if (number(result, "latency_ns", "count") === null)
			return [];
		const wide = table.scrolling(table.make("Latency", ["of", ...names], [...LATENCIES, ["connect_ns", "connects"]].map(([key, name]) =>
			[name, ...keys.map(k => (k === "count" ? format.count : format.time)(number(result, key, k)))])));
		wide.classList.add("wide");
		return [wide];
	}

	function targets(result) {
		const rows = objects(result.targets);
		return rows.length < 2 ? [] : [table.scrolling(table.make("Targets",
			["target", "address", "#connections", "#failed", "#sent", "#echoed", "#lost"],
			rows.map(t => [text(t.target), text(t.address), format.count(number(t, "connections", "established")),
				format.count(number(t, "connections", "failed")), format.count(number(t, "messages", "sent")),
				format.count(number(t, "messages", "echoed")), format.count(number(t, "messages", "lost"))])))];
	}

	/* Of a sum of results. */
	function parts(result) {
		const rows = objects(object(result.context).merged);
		return rows.length === 0 ? [] : [table.scrolling(table.make("Parts of this sum",
			["file", "phase", "#exit code", "reason"], rows.map(p =>
				[text(p.file), text(p.phase), String(number(p, "exit", "code") ?? format.NONE), text(object(p.exit).reason)])))];
	}

	/* How far the generator itself can be trusted. */
	function health(result) {
		const g = object(result.generator), tcp = object(g.host_tcp);
		if (Object.keys(g).length === 0)
			return [];
		const rows = [
			["limited by", `${format.words(text(g.bottleneck) || "unknown")}: ${format.words(text(g.bottleneck_reason) || "unknown")}`],
			["CPU time", format.time(number(g, "cpu_ns"))],
			["of it looking for events", format.time(number(g, "busy_poll_ns"))],
			["ready, but without a CPU", format.time(number(g, "wait_ns"))],
			["held up by the CPU quota", format.time(number(g, "throttled_ns"))],
			["paused", format.time(number(g, "paused_ns"))],
			["taken by the hypervisor", format.time(number(g, "steal_ns"))],
			["late sends", format.count(number(g, "late_sends"))],
			["lateness, p99", format.time(number(g, "lateness_ns", "p99"))],
			...Object.keys(tcp).map(key => [`TCP of this host: ${key}`, format.count(number(tcp, key))]),
		];
		return [table.scrolling(table.make("The generator's health", ["what", "#value"], rows))];
	}

	/* ---- context ---- */

	function plain(value) {
		return typeof value === "string" ? value : JSON.stringify(value);
	}

	/* Objects in objects as one list, their keys joined. */
	function flat(value, path = "") {
		if (value === null || typeof value !== "object" || Array.isArray(value))
			return [[path, Array.isArray(value) ? value.map(plain).join(" ") : plain(value)]];
		return Object.entries(value).flatMap(([key, v]) => flat(v, path ? `${path}.${key}` : key));
	}

	function context(r) {
		const { result } = r, sources = object(result.config_source);
		return table.folded("Context: command line, configuration, machine", () => element("div", { class: "context" },
			table.scrolling(table.make("Where it comes from", ["what", "value"], flat(object(result.context)))),
			table.scrolling(table.make("Configuration", ["key", "value", "from"],
				Object.entries(object(result.config)).map(([k, v]) => [k, plain(v), text(sources[k])])))));
	}

	function details(r) {
		const { result } = r;
		return table.section(several ? r.label : "In numbers", ...(several ? [element("p", { class: `verdict ${r.grade}` }, r.verdict), origin(r)] : []),
			element("div", { class: "tables" }, ...outcomes(result), ...lost(result), ...outage_rows(r), ...latencies(result),
				...targets(result), ...parts(result), ...health(result)), context(r));
	}

	/* ---- light and dark ---- */

	function theme() {
		const button = document.getElementById("theme"), system = matchMedia("(prefers-color-scheme: dark)");
		const root = document.documentElement;
		const show = dark => {
			button.setAttribute("aria-pressed", String(dark));
			chart.recolour();
		};
		button.setAttribute("aria-pressed", String(system.matches));
		button.addEventListener("click", () => {
			const dark = button.getAttribute("aria-pressed") !== "true";
			root.dataset.theme = dark ? "dark" : "light";
			show(dark);
		});
		system.addEventListener("change", event => root.dataset.theme || show(event.matches));
	}

	/* ---- all ---- */

	async function charts() {
		const timed = model.seconds.length > 1;
		const made = timed ? [rate_chart(), latency_chart(), ...await Promise.all(runs.map(heat_chart)),
			...runs.map(ends_chart), connections_chart()] : [];
		return [...made, percentile_chart()].filter(c => c !== null);
	}

	async function build() {
		const main = document.getElementById("main");
		main.append(...(several ? [comparison()] : [origin(runs[0]), cards(runs[0])]));
		const made = await charts();
		const box = element("section", { class: "charts", "aria-labelledby": "charts" },
			element("h2", { class: "unseen", id: "charts" }, "Charts"), ...made.map(c => c.figure));
		if (model.seconds.length <= 1)
			box.append(element("p", { class: "hint" }, "These results have no intervals: a sum of results has none of its own."));
		for (const r of runs.filter(r => r.intervals_unlisted > 0))
			box.append(element("p", { class: "hint" }, `${several ? `${r.label}: the` : "The"} last ` +
				`${format.count(r.intervals_unlisted)} intervals are not shown: the result had no room for them. --jsonl has them all.`));
		main.append(box, ...runs.map(details));
		made.forEach(c => c.draw());
		document.getElementById("footer").textContent = `Made by echoload ${model.version}. Times are since the start of the run.`;
		theme();
		document.documentElement.dataset.ready = performance.now().toFixed(0); /* ms since it was opened */
	}

	build();
})();
