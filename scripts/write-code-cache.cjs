// write-code-cache.cjs DIR NAME FILE [ARGUMENT...] - runs the program NAME of DIR with the arguments, and when it ends
// writes the compiled form of all functions that it used. See run-bundle.cjs.
'use strict';

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');

const [node, , directory, name, file, ...programArguments] = process.argv;
process.argv = [node, join(directory, `${name}.cjs`), ...programArguments];
const { run } = require(join(directory, 'run-bundle.cjs'));
const script = run(name);
process.on('exit', () => writeFileSync(file, script.createCachedData()));
