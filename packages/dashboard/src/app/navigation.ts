// Whether the person came to this page from another one of the dashboard: then its heading takes the focus, and a page
// that was not reached by Back or Forward begins at its top. wouter makes `pushState` an event.
let hasMoved = false;

window.addEventListener('popstate', () => {
  hasMoved = true;
});
window.addEventListener('pushState', () => {
  hasMoved = true;
  window.scrollTo(0, 0);
});

export const hasNavigated = (): boolean => hasMoved;
