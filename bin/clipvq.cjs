#!/usr/bin/env node
/* The command `clipvq`. Written so that an old Node can read it too, and end with one line instead of a stack trace. */
'use strict';

const required = [20, 9];
const version = process.versions.node.split('.');
const major = Number(version[0]);
const minor = Number(version[1]);

if (major > required[0] || (major === required[0] && minor >= required[1])) {
  import('../dist/command/main.js');
} else {
  process.stderr.write(
    'clipvq: Node.js ' +
      required.join('.') +
      ' or newer is needed, and this is ' +
      process.versions.node +
      ': see https://nodejs.org\n',
  );
  process.exitCode = 2;
}
