/** Mistakes of a request that have a status of their own; any other `UserError` is a bad request. */

import { UserError } from '../base/errors.ts';

/** Something that an id should name is not there. */
export class Missing extends UserError {}
/** A limit of the studio is reached: later it may work. */
export class TooMany extends UserError {}
/** Something that is sent is larger than it may be. */
export class TooLarge extends UserError {}
