/* SPDX-License-Identifier: MIT
 * model: the runs of this page, from the JSON that stands in it. Whatever is in it may come from
 * anybody: numbers are taken as numbers, text as text, and what is missing is missing.
 */
const model = (() => {
	const GRADES = ["good", "bad", "unsure"];

	function list(value) {
		return Array.isArray(value) ? value : [];
	}

	function object(value) {
		return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
	}

	/* What is no object in it has none of the keys. */
	function objects(value) {
		return list(value).map(object);
	}

	/* The number that these keys lead to; null: there is none. */
	function number(from, ...keys) {
		const value = keys.reduce((o, key) => Object.hasOwn(object(o), key) ? o[key] : undefined, from);
		return format.known(value) ? value : null;
	}

	function text(value) {
		return typeof value === "string" ? value : "";
	}

	/* A column, from either of its two forms. */
	function column(packed) {
		const runs = object(packed).runs;
		if (!runs)
			return list(packed);
		const values = [];
		for (let i = 0; i + 1 < runs.length; i += 2)
			for (let n = 0; n < runs[i + 1]; n++)
				values.push(runs[i]);
		return values;
	}

	/* When the intervals began and ended. */
	function times(columns) {
		const gaps = column(columns.begin_ns), spans = column(columns.span_ns);
		const begin = [], end = [];
		let last = 0;
		for (let i = 0; i < gaps.length; i++) {
			begin.push(last + gaps[i]);
			last = begin[i] + spans[i];
			end.push(last);
		}
		return { begin, end };
	}

	function outages(result, end_ns) {
		return list(result.outages).map(o => ({
			begin_ns: number(o, "begin_ns"),
			noticed_ns: number(o, "noticed_ns"),
			first_success_ns: number(o, "first_success_ns"),
			recovered_ns: number(o, "recovered_ns"),
			lost: number(o, "messages_lost"),
			/* one that has not ended lasts as long as the run is known */
			until_ns: number(o, "recovered_ns") ?? end_ns,
		})).filter(o => o.begin_ns !== null);
	}

	function pauses(result) {
		return list(object(result.generator).pauses)
			.map(p => ({ begin_ns: number(p, "begin_ns"), end_ns: number(p, "end_ns") }))
			.filter(p => p.begin_ns !== null && p.end_ns !== null);
	}

	function series(columns) {
		const names = ["echoed", "lost", "missed", "errors", "connects", "open", "p50", "p99", "max"];
		return Object.fromEntries(names.map(name => [name, column(columns[name])]));
	}

	function run(raw) {
		const result = object(raw.result), columns = object(raw.columns);
		const { begin, end } = times(columns);
		const end_ns = Math.max(number(result, "duration_ns") ?? 0, end.length ? end[end.length - 1] : 0);
		const data = series(columns);
		return {
			label: text(raw.label),
			verdict: text(raw.verdict),
			grade: GRADES.includes(raw.grade) ? raw.grade : "unsure",
			result,
			begin,
			end,
			end_ns,
			warmup_ns: number(result, "measured", "begin_ns") ?? 0,
			...data,
			rate: data.echoed.map((n, i) => n === null ? null : n * 1e9 / (end[i] - begin[i])),
			ended: Object.fromEntries(Object.entries(object(columns.ended)).map(([c, v]) => [c, column(v)])),
			outages: outages(result, end_ns),
			outages_unlisted: number(result, "outages_unlisted") ?? 0,
			intervals_unlisted: number(result, "intervals_unlisted") ?? 0,
			pauses: pauses(result),
			curves: object(raw.curves),
			heat: raw.heat,
		};
	}

	/* Names that are told apart. */
	function distinct(runs) {
		const seen = new Map();
		for (const r of runs) {
			const n = (seen.get(r.label) ?? 0) + 1;
			seen.set(r.label, n);
			if (n > 1)
				r.label = `${r.label} (${n})`;
		}
		return runs;
	}

	/* The begins of all intervals of all runs, and the ends after which there is nothing: where a
	 * value may change. */
	function grid(runs) {
		const at = new Set();
		for (const r of runs) {
			r.begin.forEach(t => at.add(t));
			r.end.forEach(t => at.add(t));
		}
		return [...at].sort((a, b) => a - b);
	}

	/* For each time of the grid which interval of the run it lies in; -1: none. Its very end still
	 * belongs to the last one, so that its value is drawn to there. */
	function places(r, at) {
		let i = 0;
		return at.map(t => {
			while (i + 1 < r.begin.length && r.begin[i + 1] <= t)
				i++;
			const inside = i < r.begin.length && r.begin[i] <= t;
			const open = inside && (t < r.end[i] || (t === r.end[i] && i === r.end.length - 1));
			return open ? i : -1;
		});
	}

	const raw = JSON.parse(document.getElementById("model").textContent);
	const runs = distinct(list(raw.runs).map(run));
	const at = grid(runs);

	return {
		version: text(raw.version),
		runs,
		seconds: at.map(ns => ns / 1e9),
		places: runs.map(r => places(r, at)),
		list, object, objects, number, text,
	};
})();
