/* SPDX-License-Identifier: MIT
 * table: elements and tables. What is shown is always set as text, never as markup.
 */
const table = (() => {
	/* Children are elements or text. */
	function element(name, attributes = {}, ...children) {
		const e = document.createElement(name);
		for (const [key, value] of Object.entries(attributes))
			e.setAttribute(key, value);
		e.append(...children);
		return e;
	}

	/* A cell of a number stands right. */
	function cell(name, value, numeric, attributes = {}) {
		return element(name, numeric ? { ...attributes, class: "n" } : attributes, String(value));
	}

	/* @head: names, those that begin with "#" are of columns of numbers. The first column names the
	 * rows. */
	function make(caption, head, rows) {
		const numeric = head.map(name => name.startsWith("#"));
		const names = head.map((name, i) => cell("th", name.replace(/^#/, ""), numeric[i], { scope: "col" }));
		const body = rows.map(row => element("tr", {}, ...row.map((value, i) =>
			i === 0 ? cell("th", value, numeric[0], { scope: "row" }) : cell("td", value, numeric[i]))));
		return element("table", {}, element("caption", {}, caption),
			element("thead", {}, element("tr", {}, ...names)), element("tbody", {}, ...body));
	}

	/* In a box of its own that scrolls, by keyboard too. A group, for a region is a landmark, whose
	 * name must be its own: each of several runs has the same tables. */
	function scrolling(t) {
		const caption = t.querySelector("caption").textContent;
		return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, t);
	}

	function section(title, ...children) {
		return element("section", {}, element("h2", {}, title), ...children);
	}

	/* Folded; what is inside is made when it is opened for the first time. */
	function folded(title, build) {
		const fold = element("details", {}, element("summary", {}, title));
		fold.addEventListener("toggle", () => {
			if (fold.open && fold.childElementCount === 1)
				fold.append(build());
		});
		return fold;
	}

	return { element, make, scrolling, section, folded };
})();
