// The frameworks a project may name: Vercel's list, which its SDK treats as closed. Another name in an answer would
// make the SDK refuse a whole list of projects, so it is refused on its way in.

export const frameworks: readonly string[] = `
actix-web angular ash astro axum blitzjs brunch bun container create-react-app django docusaurus docusaurus-2 dojo
eleventy elysia ember eve express factory-eve fastapi fasthtml fastify flask gatsby go gridsome h3 hexo hono hugo
hydrogen ionic-angular ionic-react jekyll koa mastra middleman nestjs nextjs nitro node nuxtjs parcel polymer preact
python react-router redwoodjs remix ruby rust saber sanity sanity-v2 sapper scully services solidstart solidstart-1
stencil storybook svelte sveltekit sveltekit-1 tanstack-start tanstack-start-lovable umijs vite vitepress vue vuepress
xmcp zola`
  .trim()
  .split(/\s+/);

export const nodeVersions = [
  '24.x',
  '22.x',
  '20.x',
  '18.x',
  '16.x',
  '14.x',
  '12.x',
  '10.x',
  '8.10.x',
] as const;
