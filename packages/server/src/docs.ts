// Writes the pages that are made from tables: .env.example, docs/reference/settings.md and docs/reference/errors.md.
// `npm run docs` runs it; docs.test.ts fails when a page differs from its table.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeFallback, describeSchedule, readSettings, type Setting, settingsTable } from './config.ts';
import { errorCodes } from './errors.ts';

const root = new URL('../../../', import.meta.url);

/** Every generated page: its path from the root, and its text. */
export function generatedPages(): { path: string; text: string }[] {
  return [
    { path: '.env.example', text: envExample() },
    { path: 'docs/reference/settings.md', text: settingsPage() },
    { path: 'docs/reference/errors.md', text: errorsPage() },
  ];
}

function groups(): { group: string; rows: Setting[] }[] {
  const names = [...new Set(settingsTable.map(({ group }) => group))];
  return names.map((group) => ({ group, rows: settingsTable.filter((setting) => setting.group === group) }));
}

/** Every variable commented out, so that a copy of the file changes nothing by itself. */
function envExample(): string {
  const blocks = groups().map(({ group, rows }) => {
    const lines = rows.map(
      (row) => `# ${row.meaning}\n# Default: ${describeFallback(row)}\n#${row.name}=${row.example}`,
    );
    return `## ${group}\n\n${lines.join('\n\n')}`;
  });
  return `# Posthorn's settings: made by \`npm run docs\`. Uncomment what you change; empty counts as unset.\n\n${blocks.join('\n\n')}\n`;
}

function settingsPage(): string {
  const tables = groups().map(({ group, rows }) => {
    const lines = rows.map(
      (row) =>
        `| \`${row.name}\` | ${asDefault(row)} | ${cell(row.meaning)} It takes ${cell(row.expected)}. |`,
    );
    return `## ${group}\n\n| variable | default | meaning |\n| --- | --- | --- |\n${lines.join('\n')}`;
  });
  return `# Settings

Made from \`packages/server/src/config.ts\` by \`npm run docs\`.

Settings are environment variables; \`posthorn start --help\` prints the same list. An empty value counts as unset. A
value that can't be used, or a \`POSTHORN_*\` variable that is not in this list, stops the start with one sentence and
exit code 1. Ignored are \`POSTHORN_TOKEN\` and \`POSTHORN_URL\` (the command line's own), and what Kubernetes injects for a
service of that name: \`POSTHORN_SERVICE_*\`, \`POSTHORN_PORT_*\`, and a \`POSTHORN_PORT\` that begins with \`tcp://\`.

Durations are a number with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`; sizes are bytes, or a number with \`KiB\`, \`MiB\` or \`GiB\`.

${tables.join('\n\n')}

## The retry schedule

The default waits are ${describeSchedule(readSettings({}).retryScheduleMs)}: ${waits()} attempts in all.
`;
}

const waits = (): number => readSettings({}).retryScheduleMs.length + 1;

function asDefault(row: Setting): string {
  return row.unset === undefined && row.fallback !== '' && row.fallback !== null
    ? `\`${row.fallback}\``
    : cell(describeFallback(row));
}

/** A bar would end the cell; angle brackets would be read as HTML. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function errorsPage(): string {
  const lines = Object.entries(errorCodes)
    .toSorted(([, a], [, b]) => a.status - b.status)
    .map(([code, { status, meaning }]) => `| ${status} | \`${code}\` | ${cell(meaning)} |`);
  return `# Errors

Made from \`packages/server/src/errors.ts\` by \`npm run docs\`.

An answer that is not a success has this body. \`code\` is for programs, \`message\` is one sentence for people: what is
wrong and what to do. Nothing was changed.

\`\`\`json
{ "error": { "code": "not_found", "message": "There is no webhook account_hook_1." } }
\`\`\`

| status | code | meaning |
| --- | --- | --- |
${lines.join('\n')}

Why an attempt to a receiver failed is another list: [causes](deliveries.md#causes).
`;
}

if (import.meta.main) {
  for (const { path, text } of generatedPages()) {
    const file = new URL(path, root);
    mkdirSync(dirname(file.pathname), { recursive: true });
    writeFileSync(file, text);
  }
}
