// A webhook's own page: how it is and what it did lately, its settings, its secret.
import { ListChecks, MoreHorizontal, RotateCcw, Trash2 } from 'lucide-react';
import { useLocation, useParams } from 'wouter';
import { ApiFailure } from '../../api/client.ts';
import type { Webhook } from '../../api/types.ts';
import { useTeam } from '../../app/session.tsx';
import { useUrlState } from '../../app/url-state.ts';
import { Badge } from '../../kit/Badge.tsx';
import { ButtonLink, IconButton } from '../../kit/Button.tsx';
import { Menu, MenuItem } from '../../kit/Menu.tsx';
import { Empty, Loaded, PageHeader, Skeleton } from '../../kit/Page.tsx';
import { PlainText } from '../../kit/PlainText.tsx';
import { Tabs } from '../../kit/Tabs.tsx';
import { Time } from '../../kit/Time.tsx';
import { HealthTab } from './HealthTab.tsx';
import { useWebhook } from './queries.ts';
import { useRemoveWebhook } from './remove.tsx';
import { SettingsTab } from './SettingsTab.tsx';
import './webhooks.css';

const tabs = [
  { value: 'health', label: 'Health' },
  { value: 'settings', label: 'Settings' },
] as const;

export default function WebhookPage() {
  const { id } = useParams<{ id: string }>();
  const { href } = useTeam();
  const webhook = useWebhook(id);
  if (webhook.error instanceof ApiFailure && webhook.error.status === 404) {
    return (
      <>
        <PageHeader title="No such webhook" parent={{ label: 'Webhooks', href: href('settings/webhooks') }} />
        <Empty
          icon={Trash2}
          title="This webhook is not there"
          action={<ButtonLink href={href('settings/webhooks')}>All webhooks</ButtonLink>}
        >
          It was removed, or it belongs to another team.
        </Empty>
      </>
    );
  }
  return (
    <Loaded query={webhook} skeleton={<Waiting />}>
      {(data) => <WebhookView webhook={data} />}
    </Loaded>
  );
}

function Waiting() {
  const { href } = useTeam();
  return (
    <>
      <PageHeader
        tab="Webhook"
        title={<Skeleton width={32} height={24} />}
        parent={{ label: 'Webhooks', href: href('settings/webhooks') }}
        description={<Skeleton width={40} />}
      />
      <Skeleton height={320} />
    </>
  );
}

function WebhookView({ webhook }: { webhook: Webhook }) {
  const { href, may } = useTeam();
  const [, navigate] = useLocation();
  const [{ tab }, setUrl] = useUrlState(['tab']);
  const remove = useRemoveWebhook();
  const shown = tab === 'settings' ? 'settings' : 'health';
  return (
    <>
      <PageHeader
        tab={`Webhook ${hostOf(webhook.url)}`}
        title={
          <span className="webhook-title">
            <PlainText text={webhook.url} limit={120} />
          </span>
        }
        parent={{ label: 'Webhooks', href: href('settings/webhooks') }}
        description={
          <span className="row">
            {webhook.enabled ? <Badge tone="green">Enabled</Badge> : <Badge tone="amber">Disabled</Badge>}
            <span>
              Created <Time at={webhook.createdAt} />
            </span>
            <code className="quiet">{webhook.id}</code>
          </span>
        }
        actions={
          <>
            <ButtonLink icon={ListChecks} href={href(`deliveries?webhookId=${webhook.id}`)}>
              Deliveries
            </ButtonLink>
            {may('webhooks.write') ? (
              <>
                <ButtonLink icon={RotateCcw} href={href(`replay?webhookId=${webhook.id}`)}>
                  Replay
                </ButtonLink>
                <Menu trigger={<IconButton icon={MoreHorizontal} label="More" />}>
                  <MenuItem
                    icon={Trash2}
                    danger
                    onSelect={() => {
                      void remove(webhook).then((done) => {
                        if (done) navigate(href('settings/webhooks'));
                      });
                    }}
                  >
                    Remove webhook
                  </MenuItem>
                </Menu>
              </>
            ) : null}
          </>
        }
      />
      <Tabs
        label="Webhook"
        tabs={tabs}
        value={shown}
        onChange={(next) => setUrl({ tab: next === 'health' ? '' : next })}
      >
        {shown === 'health' ? <HealthTab webhook={webhook} /> : <SettingsTab webhook={webhook} />}
      </Tabs>
    </>
  );
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'page');
