// Before the first paint: the theme that was chosen, else the system's (src/app/theme.ts changes it later).
{
  let chosen = null;
  try {
    chosen = localStorage.getItem('posthorn.theme');
  } catch {
    // Storage may be switched off; the system's theme then.
  }
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  document.documentElement.dataset.theme = chosen === 'light' || chosen === 'dark' ? chosen : system;
}
