// What a start prints for the person in front of it. A token and a sign-in link are shown once, at the first start.
import { type RunningServer, version } from '@posthorn/server';

export function greet({ address, firstStart }: Pick<RunningServer, 'address' | 'firstStart'>): string {
  const lines = [`Posthorn ${version} listens on ${address}`];
  if (firstStart.adminToken !== null) {
    lines.push(
      '',
      `Operator's token, shown once and kept in ${firstStart.adminTokenFile}:`,
      firstStart.adminToken,
    );
  }
  if (firstStart.signInUrl !== null) {
    lines.push('', 'Dashboard, with a sign-in link that works once within 24 hours:', firstStart.signInUrl);
  }
  return `${lines.join('\n')}\n\n`;
}
