// A handler that verifies the signature, for the reader's framework.
import { useState } from 'react';
import { Code } from '../../kit/Code.tsx';
import { Tabs } from '../../kit/Tabs.tsx';
import { samples } from './samples.ts';

export function SampleHandlers() {
  const [value, setValue] = useState(samples[0].value);
  const { label, language, text } = samples.find((sample) => sample.value === value) ?? samples[0];
  return (
    <Tabs label="Framework" tabs={samples} value={value} onChange={setValue}>
      <Code text={text} language={language} what={`the handler for ${label}`} maxHeight={260} />
    </Tabs>
  );
}
