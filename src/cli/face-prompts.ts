/** The eight prompts by which the demo, and `evaluate` on faces, show what a model understands. */
export const facePrompts: readonly string[] = [
  'a woman with long blonde hair on a pink background',
  'a bald man with a brown beard on a blue background',
  'a person wearing a red hat and glasses',
  'a man with short black hair in a green t-shirt',
  'a woman with a black bob wearing sunglasses, yellow background',
  'a smiling person with curly red hair',
  'someone with an afro in a blue hoodie on a white background',
  'a man with gray hair and a gray moustache on a purple background',
];
