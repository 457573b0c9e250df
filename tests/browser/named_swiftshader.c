/* A Vulkan driver that calls another one, DRIVER, by the numbers of SwiftShader.

Chromium's WebGPU accepts a driver in software by these numbers alone. Everything else is that of DRIVER. Written for
the interface between drivers and loaders, with no header of Vulkan: functions, strings and the first words of the
properties of a device (version of the interface, of the driver, maker, device).
*/

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#define MAKER 0x1AE0
#define DEVICE 0xC0DE

typedef void (*Function)(void);
typedef Function (*Find)(void *, const char *);
typedef void (*Describe)(void *, uint32_t *);

static Describe describe, describe2;

static void *in_driver(const char *name) {
    static void *driver;
    if (!driver) driver = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
    return driver ? dlsym(driver, name) : 0;
}

static void properties(void *device, uint32_t *found) {
    describe(device, found);
    found[2] = MAKER;
    found[3] = DEVICE;
}

/* Here a type and a pointer come first. */
static void properties2(void *device, uint32_t *found) {
    describe2(device, found);
    found[6] = MAKER;
    found[7] = DEVICE;
}

Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    Find find = (Find)in_driver("vk_icdGetInstanceProcAddr");
    Function found = find ? find(instance, name) : 0;
    if (!strcmp(name, "vkGetInstanceProcAddr")) return (Function)vk_icdGetInstanceProcAddr;
    if (found && !strcmp(name, "vkGetPhysicalDeviceProperties")) {
        describe = (Describe)found;
        return (Function)properties;
    }
    if (found && !strncmp(name, "vkGetPhysicalDeviceProperties2", strlen("vkGetPhysicalDeviceProperties2"))) {
        describe2 = (Describe)found;
        return (Function)properties2;
    }
    return found;
}

Function vkGetInstanceProcAddr(void *instance, const char *name) { return vk_icdGetInstanceProcAddr(instance, name); }

Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    Find find = (Find)in_driver("vk_icdGetPhysicalDeviceProcAddr");
    return find ? find(instance, name) : 0;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    int (*negotiate)(uint32_t *) = (int (*)(uint32_t *))in_driver("vk_icdNegotiateLoaderICDInterfaceVersion");
    return negotiate ? negotiate(version) : -3;
}
