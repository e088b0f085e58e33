// `posthorn start --help`: every setting, from the server's one table.
import { describeFallback, settingsTable } from '@posthorn/server';

export function settingsHelp(): string {
  const groups = [...new Set(settingsTable.map(({ group }) => group))];
  const blocks = groups.map((group) => {
    const rows = settingsTable
      .filter((setting) => setting.group === group)
      .map(
        (setting) =>
          `  ${setting.name}\n      ${setting.meaning}\n      Default: ${describeFallback(setting)}`,
      );
    return `${group}\n${rows.join('\n')}`;
  });
  return `\nSettings are environment variables:\n\n${blocks.join('\n\n')}\n`;
}
