/* probe.js: what a browser shows of a page, told to the frame around it: places, overlaps, sizes, axe-core's violations */

function rect(element) {
  var r = element.getBoundingClientRect();
  return { top: r.top + scrollY, bottom: r.bottom + scrollY, left: r.left, right: r.right };
}

function shown(element) {
  var r = element.getBoundingClientRect();
  return r.width > 0 && r.height > 0 && getComputedStyle(element).visibility !== "hidden";
}

/* Texts of a picture that stand over one another or leave it. */
function overlaps(picture) {
  var frame = rect(picture), bad = [];
  var texts = Array.from(picture.querySelectorAll("text")).filter(shown);
  texts.forEach(function (text, index) {
    var a = rect(text);
    if (a.left < frame.left - 2 || a.right > frame.right + 2) bad.push("outside: " + text.textContent);
    texts.slice(index + 1).forEach(function (other) {
      var b = rect(other);
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
          && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2)
        bad.push(text.textContent + " | " + other.textContent);
    });
  });
  return bad;
}

function smallest(picture) {
  var scale = picture.getBoundingClientRect().width / picture.viewBox.baseVal.width;
  return Math.min.apply(null, Array.from(picture.querySelectorAll("text")).filter(shown).map(function (text) {
    return parseFloat(getComputedStyle(text).fontSize) * scale;
  }));
}

/* The first mark, focused by the keyboard's way, shows its sentence. */
function focused() {
  var mark = document.querySelector(".chart a");
  if (!mark || !shown(mark)) return null;
  mark.focus({ focusVisible: true });
  return document.activeElement === mark && getComputedStyle(mark.querySelector(".tip")).visibility === "visible";
}

function measure() {
  var first = {}, pictures = {};
  ["cause", "when", "key", "done", "down"].forEach(function (id) {
    var part = document.getElementById(id).closest("section");
    first[id] = rect(part);
    first[id].text = part.textContent;
  });
  Array.from(document.querySelectorAll(".chart, .graph")).filter(shown).forEach(function (picture) {
    pictures[picture.classList[0]] = { overlaps: overlaps(picture), smallest: smallest(picture) };
  });
  return {
    width: innerWidth, height: innerHeight, first: first, pictures: pictures,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    back: getComputedStyle(document.body).backgroundColor,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    fetched: performance.getEntriesByType("resource").map(function (one) { return one.name; }).filter(function (name) {
      return !name.startsWith("data:");
    }),
  };
}

function tell(result) {
  parent.postMessage(btoa(unescape(encodeURIComponent(JSON.stringify(result)))), "*");
}

addEventListener("load", function () {
  var result = measure();
  if (typeof axe === "undefined") {
    result.focus = focused();
    tell(result);
    return;
  }
  axe.run(document).then(function (found) {
    result.axe = {
      passes: found.passes.length,
      violations: found.violations.map(function (one) {
        return one.id + ": " + one.help + ": " + one.nodes.slice(0, 3).map(function (node) {
          return node.html.slice(0, 120);
        }).join(" / ");
      }),
    };
    result.focus = focused();
    tell(result);
  }, function (problem) { tell({ error: String(problem) }); });
});
