// Every word the candidate reads, in one place, so that a translation is one more table.
// Text is looked up by key; {name} is replaced. A missing key or language falls back to English.

const en = {
  'app.title': 'Interview',
  'app.titleFor': 'Interview: {title}',
  'app.loading': 'One moment, we are opening your interview…',

  'welcome.hello': 'Welcome',
  'welcome.helloName': 'Welcome, {name}',
  'welcome.role': 'You are about to interview for {title} at {company}.',
  'welcome.roleOnly': 'You are about to interview for {title}.',
  'welcome.companyOnly': 'You are about to interview with {company}.',
  'welcome.noRole': 'You are about to have a spoken interview.',
  'welcome.expect': 'What to expect',
  'welcome.mayaLabel': 'Who you will talk to',
  'welcome.maya': 'Maya, an automated interviewer. Her voice is synthetic. Talk to her as you would to a person.',
  'welcome.decideLabel': 'Who decides',
  'welcome.decide': 'A person. Maya asks and listens. People read what you said and make the decision.',
  'welcome.timeLabel': 'How long it takes',
  'welcome.time': 'About {minutes} minutes.',
  'welcome.timeOne': 'About 1 minute.',
  'welcome.timeUnknown': 'Maya tells you how much time is left as you go.',
  'welcome.needLabel': 'What you need',
  'welcome.need': 'A quiet place and a microphone. Headphones help. No camera is used.',
  'welcome.pace': 'There is no need to hurry. You may stop to think, ask Maya to repeat a question, or interrupt her at any time.',
  'welcome.next': 'Get ready',
  'welcome.rejoin': 'Rejoin the interview',
  'welcome.rejoinNote': 'You were already in this interview on this device. You can go straight back in.',

  'consent.title': 'May we keep video of you?',
  'consent.lead': 'This is your choice. It has no influence on the interview or on the decision.',
  'consent.yes': 'Yes, you may keep it',
  'consent.yesNote': 'Pieces of video that are sent during the interview are kept with their sound, so that the people who decide can watch them.',
  'consent.no': 'No, only listen',
  'consent.noNote': 'No video is kept.',
  'consent.both': 'In both cases Maya listens to your voice and turns it into text. The people who decide read that text. The sound that Maya listens to is not kept.',
  'consent.noneTitle': 'Your voice is not recorded',
  'consent.noneLead': 'Maya listens to your voice and turns it into text. The sound is not kept.',
  'consent.noneNote': 'The text is kept. The people who decide read it.',
  'consent.noneGo': 'I understand, continue',
  'consent.mic': 'Next, your browser asks to use your microphone. Please allow it.',

  'mic.title': 'Check your microphone',
  'mic.asking': 'Your browser is asking to use your microphone. Please choose “Allow”.',
  'mic.say': 'Say a few words, for example: “Hello, this is a test.”',
  'mic.heard': 'We can hear you. That sounds good.',
  'mic.silent': 'We have not heard anything yet. Check that the right microphone is chosen and that it is not muted.',
  'mic.level': 'Microphone level',
  'mic.device': 'Microphone',
  'mic.go': 'Continue',
  'mic.goAnyway': 'Continue anyway',

  'ready.title': 'Ready when you are',
  'ready.sound': 'You should be able to hear Maya. Play a short sound and adjust your volume.',
  'ready.test': 'Play a sound',
  'ready.testing': 'Playing…',
  'ready.begin': 'Maya starts to speak when you join. The time begins then.',
  'ready.recorded': 'Video of you may be kept, as you agreed.',
  'ready.notRecorded': 'You are not recorded. Your words are written down.',
  'ready.join': 'Join the interview',

  'live.heading': 'The interview',
  'live.left': '{minutes} min left',
  'live.leftOne': 'About 1 min left',
  'live.leftLast': 'Less than a minute left',
  'live.leftOver': 'Time is up, Maya is closing',
  'live.mute': 'Mute',
  'live.unmute': 'Unmute',
  'live.done': 'I have finished answering',
  'live.leave': 'Leave',
  'live.captions': 'Captions',
  'live.captionsEmpty': 'What you and Maya say appears here.',
  'live.captionsHide': 'Hide text',
  'live.captionsShow': 'Show text',
  'live.newest': 'Go to the newest',
  'live.you': 'You',
  'live.maya': 'Maya',
  'live.yourLevel': 'Your microphone level',
  'live.recording': 'Video may be kept',
  'live.notRecording': 'Not recorded',
  'live.mutedTitle': 'You are muted',
  'live.mutedHint': 'Maya cannot hear you.',
  'live.doneHint': 'Thank you. Speak again whenever you like.',

  'leave.title': 'Leave the interview?',
  'leave.body': 'The interview ends now and you cannot come back to it. What you have said so far is kept and read by the people who decide.',
  'leave.stay': 'Stay',
  'leave.go': 'End and leave',

  'end.title': 'Thank you',
  'end.titleName': 'Thank you, {name}',
  'end.titleOver': 'The interview is closed',
  'end.next': 'What happens next',
  'end.next1': 'What you said is written up for the people who decide.',
  'end.next2': 'A person reads it. No decision is made by a machine alone.',
  'end.next3': 'They will contact you about the result.',
  'end.next3Company': '{company} will contact you about the result.',
  'end.close': 'You can close this page now.',

  'early.opens': 'You can join from: {time}',

  'error.again': 'Try again',
  'error.continueHere': 'Continue here instead',
  'error.code': 'If you ask for help, mention this: {code}',

  'notice.hearMaya': 'Your browser is holding the sound back.',
  'notice.hearMayaGo': 'Turn the sound on',
};

const tables = { en };
let table = en;

/** Chooses the table for a BCP 47 tag such as "en-US"; returns the language really used. */
export function setLanguage(tag) {
  const base = String(tag || '').toLowerCase().split('-')[0];
  table = tables[base] || en;
  return tables[base] ? base : 'en';
}

export function t(key, values = {}) {
  const text = table[key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Fills every element that names its text: data-t for its content, data-t-label for aria-label. */
export function fill(root) {
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
}
