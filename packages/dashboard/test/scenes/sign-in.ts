// The pages before anybody is signed in.
import { newContext } from '../support/dashboard.ts';
import type { Scene } from './scenes.ts';

export const signInScene: Scene = async ({ posthorn, browser }) => {
  const open = async (path: string) => {
    const page = await (await newContext(posthorn, browser)).newPage();
    await page.goto(`${posthorn.url}/app/${path}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForLoadState('networkidle');
    return page;
  };
  return [
    { name: 'sign-in', open: () => open('sign-in') },
    { name: 'sign-in-link', open: () => open('sign-in#abcdefghijklmnopqrstuvwxyz012345') },
  ];
};
