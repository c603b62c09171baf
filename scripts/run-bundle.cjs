// Runs the bundle beside it that has the program's name. The build leaves V8's compiled form of it there too: with it
// a start takes two thirds of the time, and less memory. It fits one version of Node and one build; without it, or when
// V8 refuses it, the bundle is compiled as any other.
'use strict';

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

/** The first line of a bundle; V8 itself would tell two bundles apart by their length only. */
const BUILD = /^\/\/ build ([0-9a-f]{16})$/m;

function readCache(name, build) {
  try {
    return readFileSync(join(__dirname, `${name}.${build}.cache`));
  } catch {
    return undefined;
  }
}

/** Runs the program and gives its script, whose compiled form can be had from it. */
function run(name) {
  const filename = join(__dirname, `${name}.bundle.cjs`);
  // The build writes ASCII alone.
  const source = readFileSync(filename, 'latin1');
  const cachedData = readCache(name, BUILD.exec(source.slice(0, 100))?.[1]);
  const script = new Script(
    `(function (require, module, exports, __filename, __dirname) {${source}\n})`,
    {
      filename,
      cachedData,
    },
  );
  script.runInThisContext()(require, module, exports, filename, __dirname);
  return script;
}

module.exports = { run };
