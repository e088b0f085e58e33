// Which store there is: SQLite in the data directory. Everything above knows only the seam in store.ts.
export { attachDeliveryStore, openSqliteStore as openStore } from './sqlite/client.ts';
