// A Nextflow process: each task does its part of a BIDS data set, and one that is tried again goes on where it stopped.
//
//     nextflow run main.nf --data "$PWD/data" --results "$PWD/derivatives/sr" --parts 16
//
// The results are written to their place as they are made, not staged: both folders must be seen by all machines.
nextflow.enable.dsl = 2

params.data = null
params.results = null
params.parts = 16

process SUPER_RESOLVE {
    tag "${part}/${params.parts}"
    cpus 4
    memory 8.GB
    errorStrategy 'retry'
    maxRetries 3

    input:
    val part

    output:
    val part

    script:
    """
    sr-keras bids "${params.data}" "${params.results}" participant \\
        --part ${part}/${params.parts} --threads ${task.cpus} --memory 6G
    """
}

process GROUP {
    input:
    val parts

    script:
    """
    sr-keras bids "${params.data}" "${params.results}" group
    """
}

workflow {
    SUPER_RESOLVE(Channel.of(1..params.parts))
    GROUP(SUPER_RESOLVE.out.collect())
}
