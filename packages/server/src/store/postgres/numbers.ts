// Numbers of events on PostgreSQL: the ms since 2026 by the database's clock, times the numbers of one ms, and a part of a
// sequence. They sort by time, fit a double until 2043, and say in which day's partition an event lies.

/** When numbers begin: 2026-01-01 in epoch ms. */
export const numbersBeginAt = 1_767_225_600_000;
/** Numbers within one ms. */
export const numbersPerMs = 16_384;

/** The first number of a moment (epoch ms). */
export const firstNumberAt = (at: number): number => (at - numbersBeginAt) * numbersPerMs;
