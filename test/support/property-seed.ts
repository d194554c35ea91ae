/** Property tests draw the same cases in every run: a failure is there for everyone, and CI does not throw dice. */

import fc from 'fast-check';

fc.configureGlobal({ seed: 20260101 });
