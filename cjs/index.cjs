/*
 * The package for `require`: the same functions, loaded when the first of them is called. The package itself consists of modules,
 * which `require` cannot load in the oldest Node.js that is supported; every function here is asynchronous anyway.
 */
'use strict';

const load = () => import('../dist/index.js');

/** A function of the package by its name. */
const later =
  (name) =>
  async (...args) =>
    (await load())[name](...args);

/** An error class whose `instanceof` goes by name, so that it also fits what the modules throw. */
const errorClass = (name) => {
  const type = class extends Error {
    static [Symbol.hasInstance](value) {
      return value instanceof Error && value.name === name;
    }

    get name() {
      return name;
    }
  };
  Object.defineProperty(type, 'name', { value: name });
  return type;
};

exports.Generator = { load: async (...args) => (await load()).Generator.load(...args) };
exports.Interrupted = errorClass('Interrupted');
exports.UserError = errorClass('UserError');
exports.estimate = later('estimate');
exports.makeRecipe = later('makeRecipe');
exports.openData = later('openData');
exports.readImage = later('readImage');
exports.save = later('save');
exports.train = later('train');
