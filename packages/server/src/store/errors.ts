// What can go wrong with the store itself, in sentences for the operator.

/** The store can't be used as it is; the message says why and what to do. */
export class StoreError extends Error {
  override name = 'StoreError';
}

/** The store is away for now. Nothing of the call was acknowledged; it may or may not have happened. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}
