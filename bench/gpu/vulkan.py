"""Lists the Vulkan devices that this process sees, as one JSON document: what WebGPU could choose from."""

import ctypes
import json
import sys

TYPES = ['other', 'integrated', 'discrete', 'virtual', 'cpu']
LIMITS = 296  # VkPhysicalDeviceProperties.limits, and in it the eighth number.
STORAGE = LIMITS + 7 * 4


class ApplicationInfo(ctypes.Structure):
    _fields_ = [
        ('type', ctypes.c_int),
        ('next', ctypes.c_void_p),
        ('name', ctypes.c_char_p),
        ('version', ctypes.c_uint32),
        ('engine', ctypes.c_char_p),
        ('engine_version', ctypes.c_uint32),
        ('api', ctypes.c_uint32),
    ]


class InstanceInfo(ctypes.Structure):
    _fields_ = [
        ('type', ctypes.c_int),
        ('next', ctypes.c_void_p),
        ('flags', ctypes.c_uint32),
        ('application', ctypes.POINTER(ApplicationInfo)),
        ('layers', ctypes.c_uint32),
        ('layer_names', ctypes.c_void_p),
        ('extensions', ctypes.c_uint32),
        ('extension_names', ctypes.c_void_p),
    ]


def devices():
    vulkan = ctypes.CDLL('libvulkan.so.1')
    application = ApplicationInfo(type=0, name=b'list', api=(1 << 22) | (1 << 12))
    info = InstanceInfo(type=1, application=ctypes.pointer(application))
    instance = ctypes.c_void_p()
    result = vulkan.vkCreateInstance(ctypes.byref(info), None, ctypes.byref(instance))
    if result != 0:
        raise OSError(f'vkCreateInstance says {result}')
    count = ctypes.c_uint32()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    handles = (ctypes.c_void_p * max(1, count.value))()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
    for handle in handles[: count.value]:
        properties = (ctypes.c_uint8 * 2048)()
        vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handle), properties)
        data = bytes(properties)
        number = lambda at: int.from_bytes(data[at : at + 4], 'little')
        yield {
            'name': data[20:276].split(b'\0')[0].decode(),
            'kind': TYPES[number(16)] if number(16) < len(TYPES) else number(16),
            'vendor': hex(number(8)),
            'maxStorageBufferRange': number(STORAGE),
        }


try:
    print(json.dumps(list(devices())))
except OSError as error:
    print(json.dumps([]))
    print(error, file=sys.stderr)
