#!/usr/bin/env bash
# netCDF4 1.7.5.1.post1 with xarray 2026.9.0 (h5netcdf 1.8.2, h5py 3.16.0, numpy 2.4.6), 2026-11-28: the white of a picture is missing, and what is missing is white.
# Guess: a picture in uint8, written to a netCDF file without any attribute, has the same mean in every reader.
# Behaviour: netCDF4 takes a value that nobody set, 255 for uint8 (65535 for uint16, -32767 for int16), for "missing" and hands out an array in which white
#  is masked; numpy's mean, sum and std then leave it out. xarray reads the same file with nothing missing. The other way round,
#  masked pixels that netCDF4 writes are read by xarray as 255. And xarray's own files differ by engine: the same data set written with
#  engine="h5netcdf" has no masked pixel for netCDF4.
# Costs: mean and std for normalisation are those of the darker pixels, label 255 vanishes, depth at its maximum too; a mask saved with one
#  library is white to the other. No error and no warning in either.
# Seen: half white, half black: mean 0 in netCDF4, 127.5 in xarray and in netCDF4 when h5netcdf wrote it; a picture masked by half, 0 elsewhere: 127.5 in xarray.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet netCDF4==1.7.5.1.post1 xarray==2026.9.0 h5netcdf==1.8.2 h5py==3.16.0 numpy==2.4.6
venv/bin/python -W error - <<'PY'
import netCDF4
import numpy as np
import xarray as xr

picture = np.zeros((8, 8), np.uint8)
picture[:4] = 255
masked = np.ma.array(np.zeros((8, 8), np.uint8), mask=picture == 255)


def write(path, values):
    with netCDF4.Dataset(path, "w") as file:
        for name in "yx":
            file.createDimension(name, 8)
        file.createVariable("picture", "u1", ("y", "x"))[:] = values


def means(path):
    with netCDF4.Dataset(path) as file:
        assert file["picture"].ncattrs() == []
        own = float(file["picture"][:].mean())
    return own, float(xr.load_dataset(path).picture.mean())


write("picture.nc", picture)
write("masked.nc", masked)
for engine in ("netcdf4", "h5netcdf"):
    xr.Dataset({"picture": (("y", "x"), picture)}).to_netcdf(f"{engine}.nc", engine=engine)
seen = {name: means(f"{name}.nc") for name in ("picture", "netcdf4", "h5netcdf", "masked")}
print(seen, picture.mean())
assert seen["picture"] == seen["netcdf4"] == (0, 127.5) and seen["h5netcdf"] == (127.5, 127.5)
assert seen["masked"] == (0, 127.5) and picture.mean() == 127.5
PY
