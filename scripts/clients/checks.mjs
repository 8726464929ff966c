// Counts checks. A failed one is told at once, the others still run, and `report` ends the program with the outcome.

import { isDeepStrictEqual } from 'node:util';

let passed = 0;
let failed = 0;

export function check(what, holds, seen) {
  if (holds) {
    passed += 1;
    console.log(`ok: ${what}`);
  } else {
    failed += 1;
    console.log(`FAILED: ${what}; seen: ${JSON.stringify(seen)}`);
  }
}

export function equal(what, seen, expected) {
  check(what, isDeepStrictEqual(seen, expected), seen);
}

// `attempt` must throw a `reason`. Anything else that it throws is a fault, and ends the program.
export async function refused(what, reason, attempt) {
  let seen;
  try {
    seen = await attempt();
  } catch (error) {
    if (!(error instanceof reason)) throw error;
    check(`${what} is refused: ${error.code ?? error.name}`, true);
    return;
  }
  check(`${what} is refused`, false, seen);
}

export function report() {
  if (failed || !passed) {
    console.log(`${failed} of ${passed + failed} checks FAILED`);
    process.exitCode = 1;
  } else {
    console.log(`${passed} checks passed`);
  }
}
