/** The variable that names the file with the clock's offset. */
export const clockVariable = 'TORTURE_CLOCK';
