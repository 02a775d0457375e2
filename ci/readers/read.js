// SPDX-License-Identifier: Apache-2.0
// Reads the files named in the JSON of expect.py (first argument) with the libraries that CI systems use, and prints ok
// and not ok lines. Each reader gives back [{suite, cases: [{name, classname, failure, error, skipped}]}].
const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");
const need = createRequire(path.join(path.resolve(process.argv[3]), "x.js"));

const list = (x) => (x === undefined ? [] : Array.isArray(x) ? x : [x]);

const readers = {
  async xml2js(text) {
    const root = (await need("xml2js").parseStringPromise(text)).testsuites;
    const result = (x) => list(x).map((r) => ({ message: r.$.message, type: r.$.type, body: r._ }));
    return root.testsuite.map((s) => ({
      suite: s.$.name,
      cases: s.testcase.map((c) => ({
        name: c.$.name, classname: c.$.classname, failures: result(c.failure), errors: result(c.error), skipped: result(c.skipped),
      })),
    }));
  },
  async "xml-js"(text) {
    const root = need("xml-js").xml2js(text, { compact: true }).testsuites;
    const result = (x) => list(x).map((r) => ({ message: r._attributes.message, type: r._attributes.type, body: r._text }));
    return list(root.testsuite).map((s) => ({
      suite: s._attributes.name,
      cases: list(s.testcase).map((c) => ({
        name: c._attributes.name, classname: c._attributes.classname,
        failures: result(c.failure), errors: result(c.error), skipped: result(c.skipped),
      })),
    }));
  },
  async "fast-xml-parser"(text) {
    const { XMLParser } = need("fast-xml-parser");
    const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: "@" });
    const root = parser.parse(text).testsuites;
    const result = (x) => list(x).map((r) => ({ message: r["@message"], type: r["@type"], body: r["#text"] }));
    return list(root.testsuite).map((s) => ({
      suite: s["@name"],
      cases: list(s.testcase).map((c) => ({
        name: c["@name"], classname: c["@classname"], failures: result(c.failure), errors: result(c.error), skipped: result(c.skipped),
      })),
    }));
  },
};

function count(suites) {
  const counts = {};
  const seen = new Set();
  for (const s of suites) {
    const n = (counts[s.suite] = { tests: 0, failures: 0, errors: 0, skipped: 0 });
    for (const c of s.cases) {
      const key = `${c.classname} ${c.name}`;
      if (!c.name || !c.classname || seen.has(key)) throw new Error(`no name of its own: ${key}`);
      seen.add(key);
      n.tests++;
      for (const kind of ["failures", "errors", "skipped"]) {
        n[kind] += c[kind].length;
        for (const r of c[kind]) {
          if (!r.message) throw new Error(`${key}: no message`);
          if (kind !== "skipped" && (!r.type || typeof r.body !== "string" || !r.body.startsWith(r.message)))
            throw new Error(`${key}: the body does not begin with the message`);
        }
      }
    }
  }
  return counts;
}

const sorted = (counts) => JSON.stringify(Object.keys(counts).sort().map((k) => [k, counts[k]]));

(async () => {
  let failed = 0;
  const want = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  for (const [name, read] of Object.entries(readers))
    for (const file of Object.keys(want)) {
      let got;
      try {
        got = sorted(count(await read(fs.readFileSync(file, "utf8"))));
      } catch (why) {
        got = String(why);
      }
      const ok = got === sorted(want[file]);
      failed += !ok;
      console.log(`${ok ? "ok" : "not ok"} readers: ${name} ${file}${ok ? "" : ` # ${got}, expected ${sorted(want[file])}`}`);
    }
  process.exit(failed ? 1 : 0);
})();
