/* SPDX-License-Identifier: MIT
 * format: quantities as people read them, the same way as the programs print them: three
 * significant digits, the unit behind them.
 */
const format = (() => {
	const NONE = "–";

	function known(n) {
		return typeof n === "number" && Number.isFinite(n);
	}

	/* Three significant digits; digits in front of the point are never cut. */
	function digits(n) {
		if (n === 0)
			return "0";
		const whole = Math.floor(Math.log10(Math.abs(n))) + 1;
		const text = n.toFixed(Math.min(9, Math.max(0, 3 - whole)));
		return group(text);
	}

	function group(text) {
		const [whole, part] = text.split(".");
		const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
		return part === undefined ? grouped : `${grouped}.${part}`;
	}

	function scaled(n, units) {
		let [size, name] = units[0];
		for (const [least, unit] of units)
			if (Math.abs(n) >= least)
				[size, name] = [least, unit];
		return `${digits(n / size)} ${name}`;
	}

	const TIMES = [[1, "ns"], [1e3, "µs"], [1e6, "ms"], [1e9, "s"]];

	function time(ns) {
		return !known(ns) ? NONE : ns === 0 ? "0 s" : scaled(ns, TIMES);
	}

	function count(n) {
		return known(n) ? group(String(Math.round(n))) : NONE;
	}

	/* A time of day; "" where no calendar has it. */
	function instant(unix_ns) {
		const date = new Date(known(unix_ns) ? unix_ns / 1e6 : NaN);
		return Number.isNaN(date.getTime()) ? "" : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
	}

	/* Of an axis: 25k rather than 25,000. */
	function short(n) {
		if (!known(n))
			return NONE;
		const [size, name] = n >= 1e9 ? [1e9, "G"] : n >= 1e6 ? [1e6, "M"] : n >= 1e3 ? [1e3, "k"] : [1, ""];
		return `${Number((n / size).toPrecision(6))}${name}`;
	}

	/* Of an axis: 1 ms rather than 1.00 ms. */
	function short_time(ns) {
		return time(ns).replace(/\.?0+ /, m => m.startsWith(".") ? " " : m).replace(/(\.\d*?)0+ /, "$1 ");
	}

	function rate(n) {
		return known(n) ? `${n >= 1000 ? count(n) : digits(n)}/s` : NONE;
	}

	/* Seconds of the run, as fine as a part of @span seconds needs it. */
	function moment(s, span = 0) {
		if (!known(s))
			return NONE;
		if (span <= 180)
			return `${Number(s.toFixed(span > 20 ? 1 : 3))} s`;
		const m = Math.floor(s / 60), rest = Number((s - m * 60).toFixed(1));
		return `${m}:${rest < 10 ? "0" : ""}${rest}`;
	}

	/* @x is the distance to 100 %, as 1 / (1 - p). */
	function percentile(x) {
		if (x <= 1)
			return "0 %";
		const decimals = Math.max(0, Math.ceil(Math.log10(x)) - 1);
		return `${Number((100 - 100 / x).toFixed(Math.min(decimals, 9)))} %`;
	}

	function ratio(a, b) {
		return known(a) && known(b) && b > 0 ? `× ${(a / b).toFixed(3)}` : NONE;
	}

	/* timeout_answer: timeout, answer */
	function words(name) {
		return String(name).replaceAll("_", " ");
	}

	return { NONE, known, digits, time, short_time, count, instant, short, rate, moment, percentile, ratio, words };
})();
